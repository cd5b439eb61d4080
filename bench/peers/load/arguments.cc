#include "arguments.h"

#include <charconv>
#include <sstream>

#include "failure.h"

namespace xcl::peers {

Arguments::Arguments(const std::string& line) {
  std::istringstream words(line);
  words >> name_;
  for (std::string word; words >> word;) {
    const size_t cut = word.find('=');
    if (cut == std::string::npos) throw Failed(word + ": say NAME=VALUE");
    values_[word.substr(0, cut)] = word.substr(cut + 1);
  }
}

const std::string& Arguments::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) throw Failed(name_ + " needs " + name + "=…");
  return found->second;
}

double Arguments::number(const std::string& name) const {
  const std::string& word = text(name);
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) throw Failed(name + " is no number: " + word);
  return value;
}

}  // namespace xcl::peers
