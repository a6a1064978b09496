#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "engine/images/image_store.h"

namespace flotilla::engine {

/// Opens the directory `path` as an image shows it and hands it to `use`; nothing happens when the
/// image has no directory there. Links inside the image are followed inside it. Needs root with
/// more than one layer (they are merged by an overlay that is attached nowhere).
Result<void> copyImageContent(ImageSource& images, const std::vector<std::string>& chain_ids,
                              const std::string& path, const std::function<Result<void>(int)>& use);

}  // namespace flotilla::engine
