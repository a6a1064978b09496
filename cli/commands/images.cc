// flotilla images: the list of images.
#include <ctime>

#include "cli/commands/command.h"
#include "cli/format/table.h"
#include "cli/format/units.h"

namespace flotilla::cli {
namespace {

struct ImagesOptions {
  bool all = false;
  bool quiet = false;
  bool no_trunc = false;
  std::vector<std::string> filters;
  std::string format;
  std::string reference;
};

struct Name {
  std::string repository = "<none>";
  std::string tag = "<none>";
};

std::vector<Name> namesOf(const nlohmann::json& image) {
  std::vector<Name> names;
  const auto tags = image.find("RepoTags");
  if (tags != image.end() && tags->is_array()) {
    for (const auto& item : *tags) {
      const std::string full = item.is_string() ? item.get<std::string>() : "";
      const auto colon = full.rfind(':');
      if (colon != std::string::npos) {
        names.push_back({full.substr(0, colon), full.substr(colon + 1)});
      }
    }
  }
  if (names.empty()) {
    names.emplace_back();
  }
  return names;
}

std::string idText(const nlohmann::json& image, const ImagesOptions& options) {
  constexpr std::size_t kShortId = 12;
  const std::string id = text(image, "Id");
  const auto colon = id.find(':');
  return options.no_trunc ? id : id.substr(colon == std::string::npos ? 0 : colon + 1, kShortId);
}

Result<int> listImages(ApiClient& client, const ImagesOptions& options) {
  std::vector<std::string> wanted = options.filters;
  if (!options.reference.empty()) {
    wanted.push_back("reference=" + options.reference);
  }
  FLO_TRY_ASSIGN(const auto filters, filtersJson(wanted));
  FLO_TRY_ASSIGN(const auto list,
                 client.get(withQuery("/images/json",
                                      {{"all", options.all ? "1" : ""}, {"filters", filters}})));
  Table table({"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"});
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  for (const auto& image : list) {
    if (options.format == "json") {
      std::printf("%s\n", image.dump().c_str());
      continue;
    }
    if (options.quiet) {
      std::printf("%s\n", idText(image, options).c_str());
      continue;
    }
    for (const auto& name : namesOf(image)) {
      table.add({name.repository, name.tag, idText(image, options),
                 humanDuration(now - number(image, "Created")) + " ago",
                 humanSize(static_cast<double>(number(image, "Size")))});
    }
  }
  if (!options.quiet && options.format != "json") {
    std::fputs(table.text().c_str(), stdout);
  }
  return 0;
}

}  // namespace

void addImages(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("images", "List images");
  auto options = std::make_shared<ImagesOptions>();
  verb->add_flag("-a,--all", options->all, "Show all images (default hides intermediate images)");
  verb->add_flag("-q,--quiet", options->quiet, "Only show image IDs");
  verb->add_flag("--no-trunc", options->no_trunc, "Don't truncate output");
  verb->add_option("-f,--filter", options->filters, "Filter output, name=value")
      ->allow_extra_args(false);
  verb->add_option("--format", options->format, "json: one object a line")
      ->check(CLI::IsMember({"json"}));
  verb->add_option("REPOSITORY", options->reference, "only images of this name");
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) { return listImages(client, *options); };
  });
}

}  // namespace flotilla::cli
