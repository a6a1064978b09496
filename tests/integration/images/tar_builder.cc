#include "tests/integration/images/tar_builder.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace flotilla::engine::testing {
namespace {

constexpr std::size_t kBlock = 512;

void put(std::string& block, std::size_t at, std::size_t size, std::string_view text) {
  block.replace(at, std::min(size, text.size()), text.substr(0, size));
}

void octal(std::string& block, std::size_t at, std::size_t size, std::uint64_t value) {
  char text[32];
  const int length = std::snprintf(text, sizeof text, "%0*lo", static_cast<int>(size - 1), value);
  if (static_cast<std::size_t>(length) < size) {
    put(block, at, size - 1, text);
    return;
  }
  for (std::size_t i = 0; i < size; ++i) {  // base 256, as GNU tar writes what octal cannot hold
    block[at + size - 1 - i] = i < 8 ? static_cast<char>((value >> (8 * i)) & 0xffU) : '\0';
  }
  block[at] = static_cast<char>(0x80);
}

}  // namespace

TarBuilder& TarBuilder::header(const Header& header) {
  std::string block(kBlock, '\0');
  put(block, 0, 100, header.name);
  octal(block, 100, 8, header.mode);
  octal(block, 108, 8, header.uid);
  octal(block, 116, 8, header.gid);
  octal(block, 124, 12, header.size);
  octal(block, 136, 12, static_cast<std::uint64_t>(header.mtime));
  block[156] = header.type;
  put(block, 157, 100, header.link);
  put(block, 257, 8, std::string_view("ustar\00000", 8));
  octal(block, 329, 8, header.major);
  octal(block, 337, 8, header.minor);
  std::fill_n(block.begin() + 148, 8, ' ');
  unsigned sum = 0;
  for (const char c : block) {
    sum += static_cast<unsigned char>(c);
  }
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  put(block, 148, 7, std::string_view(text, 7));
  bytes_ += block;
  return *this;
}

TarBuilder& TarBuilder::raw(std::string_view bytes) {
  bytes_ += bytes;
  return *this;
}

TarBuilder& TarBuilder::content(std::string_view bytes) {
  bytes_ += bytes;
  bytes_.append((kBlock - bytes.size() % kBlock) % kBlock, '\0');
  return *this;
}

TarBuilder& TarBuilder::file(const std::string& name, std::string_view bytes, unsigned mode) {
  return header({.name = name, .size = bytes.size(), .mode = mode}).content(bytes);
}

TarBuilder& TarBuilder::directory(const std::string& name, unsigned mode) {
  return header({.name = name, .type = '5', .mode = mode});
}

TarBuilder& TarBuilder::symlink(const std::string& name, const std::string& target) {
  return header({.name = name, .type = '2', .link = target, .mode = 0777});
}

TarBuilder& TarBuilder::hardlink(const std::string& name, const std::string& target) {
  return header({.name = name, .type = '1', .link = target});
}

TarBuilder& TarBuilder::device(const std::string& name, char type, unsigned major, unsigned minor) {
  return header({.name = name, .type = type, .major = major, .minor = minor});
}

TarBuilder& TarBuilder::pax(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string body;
  for (const auto& [key, value] : records) {
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) {
      ++length;
    }
    body += std::to_string(length) + rest;
  }
  return header({.name = "pax", .type = 'x', .size = body.size()}).content(body);
}

}  // namespace flotilla::engine::testing
