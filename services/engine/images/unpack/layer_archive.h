#pragma once

#include <memory>

#include "common/error/result.h"
#include "engine/images/unpack/tar_stream.h"
#include "engine/images/unpack/tree_writer.h"

namespace flotilla::engine::unpack {

/// Writes every entry of a tar stream into `tree` and reads the stream to its end.
/// Errors: InvalidArgument (the layer is at fault: "unexpected EOF", a bad header, a bad name),
/// Internal (this host is: no space, an I/O error).
Result<void> unpackLayer(TarStream& stream, TreeWriter& tree);

}  // namespace flotilla::engine::unpack
