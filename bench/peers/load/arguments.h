// The words of one command: a name, then `name=value` each.
#pragma once

#include <map>
#include <string>

namespace xcl::peers {

class Arguments {
 public:
  explicit Arguments(const std::string& line);

  const std::string& name() const { return name_; }
  /** @throws Failed when it is not given */
  const std::string& text(const std::string& name) const;
  double number(const std::string& name) const;
  size_t count(const std::string& name) const { return static_cast<size_t>(number(name)); }

 private:
  std::string name_;
  std::map<std::string, std::string> values_;
};

}  // namespace xcl::peers
