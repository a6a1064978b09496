#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flotilla::engine::testing {

/// Writes tar archives byte by byte, so that tests can make what no honest program would.
class TarBuilder {
 public:
  struct Header {
    std::string name;
    char type = '0';
    std::string link = {};
    std::uint64_t size = 0;  // as declared
    unsigned mode = 0644;
    unsigned uid = 0, gid = 0, major = 0, minor = 0;
    std::int64_t mtime = 1'600'000'000;
  };

  /// A header alone; what follows is the caller's.
  TarBuilder& header(const Header& header);
  TarBuilder& raw(std::string_view bytes);
  /// Content, padded to blocks.
  TarBuilder& content(std::string_view bytes);

  TarBuilder& file(const std::string& name, std::string_view bytes, unsigned mode = 0644);
  TarBuilder& directory(const std::string& name, unsigned mode = 0755);
  TarBuilder& symlink(const std::string& name, const std::string& target);
  TarBuilder& hardlink(const std::string& name, const std::string& target);
  TarBuilder& device(const std::string& name, char type, unsigned major, unsigned minor);
  /// Pax records for the next entry.
  TarBuilder& pax(const std::vector<std::pair<std::string, std::string>>& records);

  /// With the end marker.
  [[nodiscard]] std::string finish() const { return bytes_ + std::string(1024, '\0'); }
  [[nodiscard]] const std::string& unfinished() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace flotilla::engine::testing
