#include "common/model/random_name.h"

#include <array>
#include <random>
#include <string_view>

namespace flotilla::model {
namespace {

constexpr std::array<std::string_view, 64> kAdjectives = {
    "able",   "agile",  "amber",   "ample",  "astute", "azure",  "bold",    "brave",
    "breezy", "bright", "brisk",   "calm",   "candid", "cheery", "civil",   "clever",
    "cosy",   "crisp",  "curious", "daring", "deft",   "eager",  "earnest", "fair",
    "fleet",  "fluent", "fresh",   "frugal", "gentle", "glad",   "golden",  "hardy",
    "honest", "humble", "jolly",   "keen",   "kind",   "lively", "lucid",   "mellow",
    "merry",  "mild",   "modest",  "neat",   "nimble", "noble",  "patient", "placid",
    "plucky", "polite", "prompt",  "quick",  "quiet",  "rapid",  "ready",   "robust",
    "serene", "sharp",  "sincere", "steady", "sturdy", "swift",  "tidy",    "warm"};
constexpr std::array<std::string_view, 64> kSurnames = {
    "amundsen",  "anson",        "baffin",     "bering",     "bligh",      "bougainville",
    "byrd",      "cabot",        "cartier",    "chichester", "columbus",   "cook",
    "cortes",    "cousteau",     "cunard",     "dampier",    "dias",       "drake",
    "ericson",   "flinders",     "franklin",   "frobisher",  "gama",       "gilbert",
    "hawkins",   "heyerdahl",    "hudson",     "humboldt",   "jansz",      "joyon",
    "kidd",      "knoxjohnston", "laperouse",  "leif",       "macarthur",  "magellan",
    "malaspina", "mawson",       "moitessier", "nansen",     "nelson",     "peary",
    "perry",     "piccard",      "polo",       "pytheas",    "quiros",     "raleigh",
    "ross",      "rickover",     "scoresby",   "scott",      "shackleton", "slocum",
    "stuart",    "tabarly",      "tasman",     "torres",     "vancouver",  "vespucci",
    "wallis",    "weddell",      "wilkes",     "zheng"};

}  // namespace

std::string randomName(int attempt) {
  thread_local std::mt19937 generator{std::random_device{}()};
  std::string name(kAdjectives[generator() % kAdjectives.size()]);
  name += '_';
  name += kSurnames[generator() % kSurnames.size()];
  if (attempt > 0) {
    name += std::to_string(generator() % 10);
  }
  return name;
}

}  // namespace flotilla::model
