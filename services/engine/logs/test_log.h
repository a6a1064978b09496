#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace flotilla::engine::testing_support {

/// A json-file log in a directory of its own, written as the shim does.
class TestLog {
 public:
  TestLog() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flotilla-log-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~TestLog() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  TestLog(const TestLog&) = delete;
  TestLog& operator=(const TestLog&) = delete;

  [[nodiscard]] std::string path() const { return directory_ + "/c-json.log"; }

  static std::string line(const std::string& text, const std::string& stream = "stdout",
                          int second = 0) {
    const std::string seconds = std::to_string(100 + second).substr(1);
    return R"({"log":")" + text + R"(\n","stream":")" + stream + R"(","time":"2026-11-22T00:00:)" +
           seconds + "Z\"}\n";
  }
  void append(const std::string& bytes) const { std::ofstream(path(), std::ios::app) << bytes; }
  void write(const std::string& text, const std::string& stream = "stdout", int second = 0) const {
    append(line(text, stream, second));
  }
  /// path -> path.1 -> path.2 ..., then nothing at path until the next write.
  void rotate() const {
    for (int part = 8; part >= 0; --part) {
      const std::string from = part == 0 ? path() : path() + "." + std::to_string(part);
      std::error_code missing;
      std::filesystem::rename(from, path() + "." + std::to_string(part + 1), missing);
    }
  }

 private:
  std::string directory_;
};

}  // namespace flotilla::engine::testing_support
