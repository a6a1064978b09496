#include "common/config/daemon_config.h"

#include <CLI/CLI.hpp>
#include <iterator>
#include <ostream>

#include "common/json/json.h"

namespace flotilla::config {
namespace {

std::string scalar(const json::Json& value) {
  return value.is_string() ? value.get<std::string>() : json::dump(value);
}

std::vector<std::string> inputs(const json::Json& value) {
  std::vector<std::string> texts;
  if (value.is_array()) {
    for (const auto& item : value) {
      texts.push_back(scalar(item));
    }
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      texts.push_back(key + "=" + scalar(item));
    }
  } else {
    texts.push_back(scalar(value));
  }
  return texts;
}

/// Lets CLI11 read JSON where it would read INI.
class JsonConfig final : public CLI::Config {
 public:
  std::string to_config(const CLI::App* /*app*/, bool /*defaults*/, bool /*descriptions*/,
                        std::string /*prefix*/) const override {
    return "";
  }

  // ConfigError, not FileError: CLI11 takes the latter for a missing default file and goes on.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    const std::string text((std::istreambuf_iterator<char>(input)),
                           std::istreambuf_iterator<char>());
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
      return {};  // as dockerd takes an empty file
    }
    const auto document = json::parse(text);
    if (!document) {
      throw CLI::ConfigError("configuration file: " + document.error().message(),
                             CLI::ExitCodes::ConfigError);
    }
    if (!document->is_object()) {
      throw CLI::ConfigError("configuration file: must be a JSON object",
                             CLI::ExitCodes::ConfigError);
    }
    std::vector<CLI::ConfigItem> settings;
    for (const auto& [key, value] : document->items()) {
      CLI::ConfigItem item;
      item.name = key;
      item.inputs = inputs(value);
      settings.push_back(std::move(item));
    }
    return settings;
  }
};

}  // namespace

void useDaemonJson(CLI::App& app, const std::string& default_path) {
  app.config_formatter(std::make_shared<JsonConfig>());
  app.set_config("--config-file", default_path, "Daemon configuration file (JSON)");
  app.allow_config_extras(CLI::config_extras_mode::error);
  const std::string help =
      "Validate the daemon configuration and exit";  // an lvalue picks the overload
  app.add_flag("--validate", help)->configurable(false);
}

Result<Outcome> parse(CLI::App& app, int argc, const char* const* argv, std::ostream& out,
                      const std::function<Result<void>()>& finish) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return Outcome::Done;
  } catch (const CLI::CallForVersion& version) {
    out << version.what() << '\n';
    return Outcome::Done;
  } catch (const CLI::Error& error) {
    return Error{ErrorKind::InvalidArgument, error.what()};
  }
  if (finish) {
    FLO_TRY(finish());
  }
  if (const auto* validate = app.get_option_no_throw("--validate");
      validate != nullptr && validate->count() > 0) {
    out << "configuration OK\n";
    return Outcome::Done;
  }
  return Outcome::Run;
}

}  // namespace flotilla::config
