#include "api-gateway/cluster/calls/merges.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "api-gateway/cluster/calls/node_names.h"
#include "api-gateway/cluster/json_fields.h"
#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

Document parsed(const std::string& text) {
  // json::parse bounds the nesting; engines are trusted, their labels are not.
  return json::parse(text) ? Document::parse(text, nullptr, false) : Document();
}

/// All elements of the lists that hosts answered, with the host of each.
template <class Fn>
void forEachElement(const std::vector<HostAnswer>& answers, const char* list, const Fn& fn) {
  for (const HostAnswer& answer : answers) {
    if (!answer.result) {
      continue;
    }
    Document document = parsed(answer.result->body);
    Document* elements = &document;
    if (list != nullptr && document.is_object() && document.contains(list)) {
      elements = &document[list];
    }
    if (elements->is_array()) {
      for (Document& element : *elements) {
        fn(*answer.host, element);
      }
    }
  }
}

/// The first refusal. Silence of some is a warning's matter, that of all is an error.
Result<void> checkAnswers(const std::vector<HostAnswer>& answers) {
  bool answered = answers.empty();  // nobody was meant
  for (const HostAnswer& answer : answers) {
    if (!answer.result && !isSilence(answer.result)) {
      return answer.result.error();
    }
    answered = answered || answer.result.has_value();
  }
  return answered ? Result<void>{} : mergedError(answers);
}

void newestFirst(std::vector<Document>& elements) {
  std::stable_sort(elements.begin(), elements.end(), [](const Document& a, const Document& b) {
    return numberOf(a, "Created") > numberOf(b, "Created");
  });
}

std::string listOf(std::vector<Document> elements) {
  Document list = Document::array();
  for (Document& element : elements) {
    list.push_back(std::move(element));
  }
  return dumped(list);
}

void addNode(Document& container, const Host& host) {
  const auto names = container.find("Names");
  if (names == container.end() || !names->is_array()) {
    return;
  }
  for (Document& name : *names) {
    if (name.is_string()) {
      name = "/" + host.name() + name.get<std::string>();
    }
  }
}

/// The filters that can be judged from a row alone; of several labels a container has all, of
/// several names one. Others leave hosts that are down out.
bool rowMatches(const ContainerRow& row, const json::Json& filters) {
  for (const auto& [key, filter] : filters.items()) {
    const auto values = filterValues(filter);
    bool matches = false;
    if (key == "name") {
      matches = std::ranges::any_of(values, [&](const std::string& name) {
        return row.name.find(name) != std::string::npos;
      });
    } else if (key == "id") {
      matches = std::ranges::any_of(values,
                                    [&](const std::string& id) { return row.id.starts_with(id); });
    } else if (key == "label") {
      matches = std::ranges::all_of(values, [&](const std::string& label) {
        const auto found = row.labels.find(label.substr(0, label.find('=')));
        return found != row.labels.end() && (label.find('=') == std::string::npos ||
                                             found->second == label.substr(label.find('=') + 1));
      });
    } else if (key == "node") {
      matches = true;  // judged by the caller
    }
    if (!matches) {
      return false;
    }
  }
  return true;
}

/// A list element of what is known before the engine's own is there.
Document sketch(const ContainerRow& row) {
  return {{"Id", row.id},
          {"Names", Document::array({"/" + row.name})},
          {"Image", row.image},
          {"ImageID", row.image_id},
          {"Command", ""},
          {"Created", row.created_ns / kNano},
          {"Ports", Document::array()},
          {"Labels", Document(row.labels)},
          {"State", row.state},
          {"Mounts", Document::array()}};
}

/// Containers of hosts that gave no list, as they were last seen.
void addAbsent(ClusterContext& context, const Job& job, const std::vector<HostAnswer>& answers,
               std::vector<Document>& elements) {
  auto filters = json::parse(job.env.get("filters").empty() ? "{}" : job.env.get("filters"));
  if (!filters || !filters->is_object()) {
    return;
  }
  std::set<const Host*> answered;
  for (const HostAnswer& answer : answers) {
    if (answer.result) {
      answered.insert(answer.host.get());
    }
  }
  auto wanted = context.membership.all();
  JobEnv env = job.env;
  if (!applyNodeFilter(env, wanted)) {
    return;
  }
  context.index.forEach([&](const ContainerIndex::Entry& entry) {
    if (answered.contains(entry.host.get()) ||
        std::ranges::find(wanted, entry.host) == wanted.end() || !rowMatches(entry.row, *filters)) {
      return;
    }
    Document summary = entry.row.summary.empty() ? sketch(entry.row) : parsed(entry.row.summary);
    addNode(summary, *entry.host);
    summary["Status"] = "Host Down";
    elements.push_back(std::move(summary));
  });
}

JobResult document(std::string body) { return JobOutput{.body = std::move(body), .env = {}}; }

void addMissing(Document& into, const Document& from) {
  if (!from.is_array()) {
    return;
  }
  if (!into.is_array()) {
    into = Document::array();
  }
  for (const Document& value : from) {
    if (std::find(into.begin(), into.end(), value) == into.end()) {
      into.push_back(value);
    }
  }
}

}  // namespace

JobResult mergeContainerList(ClusterContext& context, const Job& job,
                             std::vector<HostAnswer> answers) {
  FLO_TRY(checkAnswers(answers));
  std::vector<Document> elements;
  forEachElement(answers, nullptr, [&](const Host& host, Document& element) {
    addNode(element, host);
    elements.push_back(std::move(element));
  });
  const auto limit = job.env.getInt("limit", 0);
  if (job.env.getBool("all") || (limit && *limit > 0)) {
    addAbsent(context, job, answers, elements);
  }
  newestFirst(elements);
  if (limit && *limit > 0 && elements.size() > static_cast<std::size_t>(*limit)) {
    elements.resize(static_cast<std::size_t>(*limit));
  }
  return document(listOf(std::move(elements)));
}

JobResult mergeImageList(ClusterContext& /*context*/, const Job& /*job*/,
                         std::vector<HostAnswer> answers) {
  FLO_TRY(checkAnswers(answers));
  std::vector<Document> images;
  std::map<std::string, std::size_t> position;
  forEachElement(answers, nullptr, [&](const Host&, Document& image) {
    const auto [at, fresh] = position.emplace(textOf(image, "Id"), images.size());
    if (fresh) {
      images.push_back(std::move(image));
      return;
    }
    Document& known = images[at->second];
    for (const char* list : {"RepoTags", "RepoDigests"}) {
      addMissing(known[list], image[list]);
    }
    if (numberOf(image, "Containers") > 0) {
      known["Containers"] =
          std::max<std::int64_t>(0, numberOf(known, "Containers")) + numberOf(image, "Containers");
    }
  });
  newestFirst(images);
  return document(listOf(std::move(images)));
}

JobResult mergeImageRemove(ClusterContext& context, const Job& job,
                           std::vector<HostAnswer> answers) {
  FLO_TRY(mergeChange(context, job, answers));
  Document removed = Document::array();
  forEachElement(answers, nullptr, [&](const Host&, Document& line) {
    addMissing(removed, Document::array({std::move(line)}));
  });
  return document(dumped(removed));
}

JobResult mergeNetworkList(ClusterContext& /*context*/, const Job& /*job*/,
                           std::vector<HostAnswer> answers) {
  FLO_TRY(checkAnswers(answers));
  std::vector<Document> networks;
  std::set<std::string> ids;
  forEachElement(answers, nullptr, [&](const Host& host, Document& network) {
    if (textOf(network, "Scope") == "local") {
      network["Name"] = host.name() + "/" + textOf(network, "Name");
      networks.push_back(std::move(network));
    } else if (ids.insert(textOf(network, "Id")).second) {
      networks.push_back(std::move(network));
    }
  });
  return document(listOf(std::move(networks)));
}

JobResult mergeVolumeList(ClusterContext& /*context*/, const Job& /*job*/,
                          std::vector<HostAnswer> answers) {
  FLO_TRY(checkAnswers(answers));
  Document volumes = Document::array();
  std::set<std::string> shared;
  forEachElement(answers, "Volumes", [&](const Host& host, Document& volume) {
    if (textOf(volume, "Driver") == "local") {
      volume["Name"] = host.name() + "/" + textOf(volume, "Name");
      volumes.push_back(std::move(volume));
    } else if (shared.insert(textOf(volume, "Name")).second) {
      volumes.push_back(std::move(volume));
    }
  });
  Document result;
  result["Volumes"] = std::move(volumes);
  result["Warnings"] = nullptr;
  return document(dumped(result));
}

JobResult mergeChange(ClusterContext& /*context*/, const Job& /*job*/,
                      std::vector<HostAnswer> answers) {
  bool done = false;
  bool refused = false;
  for (const HostAnswer& answer : answers) {
    done = done || answer.result.has_value();
    refused = refused || (!answer.result && answer.result.error().kind() != ErrorKind::NotFound);
  }
  if (!done || refused) {
    return mergedError(answers);
  }
  return JobOutput{};
}

JobResult mergeCreate(ClusterContext& context, const Job& job, std::vector<HostAnswer> answers) {
  FLO_TRY_ASSIGN(const JobOutput done, mergeChange(context, job, answers));
  for (HostAnswer& answer : answers) {
    if (answer.result) {
      return std::move(answer.result);
    }
  }
  return done;
}

}  // namespace flotilla::gateway
