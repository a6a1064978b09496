#include "registry-proxy/http/document_flights.h"

namespace flotilla::registry {

std::shared_ptr<const DocumentFlights::Answer> DocumentFlights::share(
    const std::string& key, const std::function<Answer()>& fetch) {
  std::shared_ptr<Flight> flight;
  {
    MutexLock lock(mutex_);
    if (const auto running = flights_.find(key); running != flights_.end()) {
      flight = running->second;
      // The one who fetches has deadlines of its own.
      landed_.wait(mutex_, [&flight] { return flight->answer != nullptr; });
      return flight->answer;
    }
    flight = std::make_shared<Flight>();
    flights_[key] = flight;
  }
  auto answer = std::make_shared<const Answer>(fetch());
  {
    MutexLock lock(mutex_);
    flight->answer = answer;
    flights_.erase(key);
  }
  landed_.notify_all();
  return answer;
}

}  // namespace flotilla::registry
