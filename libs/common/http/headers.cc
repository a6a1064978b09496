#include <algorithm>

#include "common/http/exchange.h"

namespace flotilla::http {
namespace {

constexpr std::string_view kColon = ": ";
constexpr std::string_view kLineEnd = "\r\n";
// Most heads fit.
constexpr std::size_t kUsualText = 384;
constexpr std::size_t kUsualFields = 12;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool sameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

bool endsLine(char c) { return c == '\r' || c == '\n' || c == '\0'; }

}  // namespace

void Headers::makeRoom() {
  if (places_.empty()) {
    text_.reserve(kUsualText);
    places_.reserve(kUsualFields);
  }
}

void Headers::add(std::string_view name, std::string_view value) {
  makeRoom();
  const std::size_t at = text_.size();
  places_.push_back({at, name.size(), value.size()});
  text_ += name;
  text_ += kColon;
  text_ += value;
  const std::string_view line = std::string_view(text_).substr(at);
  constexpr auto kNone = std::string_view::npos;  // three quick searches: there hardly ever is one
  if (line.find('\r') != kNone || line.find('\n') != kNone || line.find('\0') != kNone) {
    std::replace_if(text_.begin() + static_cast<std::ptrdiff_t>(at), text_.end(), endsLine, ' ');
  }
  text_ += kLineEnd;
}

void Headers::add(const Headers& others) {
  makeRoom();
  const std::size_t shift = text_.size();
  text_ += others.text_;
  for (const Place& place : others.places_) {
    places_.push_back({place.at + shift, place.name_size, place.value_size});
  }
}

void Headers::set(std::string_view name, std::string_view value) {
  std::erase_if(places_, [&](const Place& place) { return sameName(nameOf(place), name); });
  add(name, value);
}

std::string_view Headers::valueOf(const Place& place) const {
  return std::string_view(text_).substr(place.at + place.name_size + kColon.size(),
                                        place.value_size);
}

std::string_view Headers::lineOf(const Place& place) const {
  return std::string_view(text_).substr(
      place.at, place.name_size + kColon.size() + place.value_size + kLineEnd.size());
}

const Headers::Place* Headers::find(std::string_view name) const {
  const auto found = std::find_if(places_.begin(), places_.end(), [&](const Place& place) {
    return sameName(nameOf(place), name);
  });
  return found == places_.end() ? nullptr : &*found;
}

std::string_view Headers::get(std::string_view name) const {
  const Place* place = find(name);
  return place == nullptr ? std::string_view{} : valueOf(*place);
}

bool Headers::has(std::string_view name) const { return find(name) != nullptr; }

void Headers::appendLines(std::string& out, bool (*leave_out)(std::string_view name)) const {
  for (const Place& place : places_) {
    if (!leave_out(nameOf(place))) {
      out += lineOf(place);
    }
  }
}

}  // namespace flotilla::http
