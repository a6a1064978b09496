#pragma once

#include <memory>
#include <string>

namespace flotilla::testing {

/// A throw-away certificate authority and certificates it signed, as PEM files in one folder that
/// goes with the object. Made with OpenSSL's API; valid for a day.
class Certificates {
 public:
  Certificates();
  ~Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  /// A certificate for a server called "localhost" (127.0.0.1, ::1) or a client.
  struct Identity {
    std::string cert_file, key_file;
  };
  [[nodiscard]] std::string caFile() const { return folder_ + "/ca.pem"; }
  Identity issue(const std::string& name);

 private:
  struct Authority;
  std::string folder_;
  std::unique_ptr<Authority> authority_;
};

}  // namespace flotilla::testing
