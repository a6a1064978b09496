#pragma once

#include <string>
#include <vector>

namespace flotilla {

/// The beginning of the command line that runs the program at `path`. A program that was carried
/// here from another system came with a loader, ld.so, in its folder, and with its libraries in
/// lib/ there: it is run by these, and by none of this system's.
std::vector<std::string> commandOf(const std::string& path);

}  // namespace flotilla
