#pragma once

#include <string>
#include <string_view>

namespace flotilla::model {

/// NetworkMode, IpcMode, PidMode, UTSMode, CgroupnsMode taken apart.
struct NamespaceMode {
  enum class Kind {
    Default,    // "" or "default"
    Private,    // "private"
    Host,       // "host"
    None,       // "none"
    Shareable,  // "shareable" (ipc)
    Container,  // "container:<name or id>"
    Named,      // anything else: a network's name
  } kind = Kind::Default;
  std::string name;  // of the container or network

  static NamespaceMode parse(std::string_view text) {
    constexpr std::string_view kContainer = "container:";
    if (text.empty() || text == "default") {
      return {};
    }
    if (text.starts_with(kContainer)) {
      return {Kind::Container, std::string(text.substr(kContainer.size()))};
    }
    if (text == "private" || text == "host" || text == "none" || text == "shareable") {
      return {text[0] == 'p'   ? Kind::Private
              : text[0] == 'h' ? Kind::Host
              : text[0] == 'n' ? Kind::None
                               : Kind::Shareable,
              {}};
    }
    return {Kind::Named, std::string(text)};
  }
  [[nodiscard]] bool isHost() const { return kind == Kind::Host; }
  [[nodiscard]] bool isContainer() const { return kind == Kind::Container; }
};

}  // namespace flotilla::model
