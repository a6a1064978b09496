// flotilla pull: an image from a registry.
#include "cli/commands/pull.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "cli/commands/command.h"

namespace flotilla::cli {
namespace {

struct PullOptions {
  std::string image, platform;
  bool all_tags = false;
  bool quiet = false;
};

/// Where a name's tag or digest begins; npos without one.
std::size_t suffixOf(const std::string& image) {
  const std::size_t at = image.find('@');
  if (at != std::string::npos) {
    return at;
  }
  const std::size_t colon = image.rfind(':');
  return colon != std::string::npos && image.find('/', colon) == std::string::npos
             ? colon
             : std::string::npos;
}

/// The key of the image's registry in docker's configuration.
std::string registryKey(const std::string& image) {
  const std::size_t slash = image.find('/');
  const std::string first = image.substr(0, slash);
  const bool is_host = slash != std::string::npos &&
                       (first.find_first_of(".:") != std::string::npos || first == "localhost");
  return !is_host || first == "docker.io" || first == "index.docker.io"
             ? "https://index.docker.io/v1/"
             : first;
}

std::string environmentValue(const char* name) {
  const char* value =
      std::getenv(name);  // NOLINT(concurrency-mt-unsafe): the client has one thread
  return value == nullptr ? "" : value;
}

/// base64url, as X-Registry-Auth wants it.
std::string encoded(const std::string& bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned group = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    group = (group << 8U) | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) {
      out += kDigits[(group >> (bits - 6)) & 63U];
    }
  }
  if (bits > 0) {
    out += kDigits[(group << (6 - bits)) & 63U];
  }
  while (out.size() % 4 != 0) {
    out += '=';
  }
  return out;
}

/// What `docker login` stored in config.json; credential helpers are not asked.
std::string storedAuth(const std::string& image) {
  std::string folder = environmentValue("DOCKER_CONFIG");
  if (folder.empty()) {
    folder = environmentValue("HOME") + "/.docker";
  }
  std::ifstream file(folder + "/config.json");
  const std::string content((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
  const auto config = nlohmann::json::parse(content, nullptr, false);
  const auto auths = config.is_object() ? config.find("auths") : config.end();
  const std::string key = registryKey(image);
  if (!config.is_object() || auths == config.end() || !auths->is_object() ||
      !auths->contains(key)) {
    return "";
  }
  const auto& stored = (*auths)[key];
  nlohmann::json out = nlohmann::json::object();
  for (const char* member : {"username", "password", "auth", "identitytoken", "registrytoken"}) {
    if (const std::string value = text(stored, member); !value.empty()) {
      out[member] = value;
    }
  }
  return out.empty() ? "" : encoded(out.dump());
}

Result<int> pull(ApiClient& client, const PullOptions& options) {
  const bool tagged = suffixOf(options.image) != std::string::npos;
  if (options.all_tags && tagged) {
    return Error{ErrorKind::InvalidArgument, "tag can't be used with --all-tags/-a"};
  }
  if (!options.all_tags && !tagged && !options.quiet) {
    std::puts("Using default tag: latest");
    std::fflush(stdout);
  }
  const std::string name = options.image + (options.all_tags || tagged ? "" : ":latest");
  PullDisplay display =
      options.quiet ? PullDisplay(stdout, PullDisplay::Style::Silent) : PullDisplay(stdout);
  FLO_TRY(pullImage(client, name, options.platform, display));
  if (registryKey(name) == "https://index.docker.io/v1/" && !name.starts_with("docker.io/")) {
    std::printf("docker.io/%s%s\n", name.find('/') == std::string::npos ? "library/" : "",
                name.c_str());
  } else {
    std::printf("%s\n", name.c_str());
  }
  return 0;
}

}  // namespace

Result<void> pullImage(ApiClient& client, const std::string& image, const std::string& platform,
                       PullDisplay& display) {
  const std::string target =
      withQuery("/images/create", {{"fromImage", image}, {"platform", platform}});
  std::vector<std::pair<std::string, std::string>> headers;
  if (std::string auth = storedAuth(image); !auth.empty()) {
    headers.emplace_back("X-Registry-Auth", std::move(auth));
  }
  FLO_TRY_ASSIGN(auto answer, client.postAndWaitForHeader(target, std::move(headers)));
  FLO_TRY(answer.stream.readBody(answer.head, [&display](std::string_view piece) {
    display.take(piece);
    return true;
  }));
  return display.outcome();
}

void addPull(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("pull", "Download an image from a registry");
  auto options = std::make_shared<PullOptions>();
  verb->add_option("image", options->image, "NAME[:TAG|@DIGEST]")->required();
  verb->add_flag("-a,--all-tags", options->all_tags,
                 "Download all tagged images in the repository");
  verb->add_option("--platform", options->platform,
                   "Set platform if server is multi-platform capable");
  verb->add_flag("-q,--quiet", options->quiet, "Suppress verbose output");
  verb->callback([options, &chosen] {
    chosen.action = [options](ApiClient& client) { return pull(client, *options); };
  });
}

}  // namespace flotilla::cli
