// Plays inputs against the native half of the connections; with --paths, against its look-ups of paths alone.
//
//   ring-set-fuzzer --folder DIR [--corpus DIR] [--seed N] [--seconds N] [--messages N] [--keep] [--paths]
//                   [--sabotage lose|double|flip|lose-reply|double-reply|keep-block|lose-hint|wrong-hint]
//                   [--distil DIR] [FILE…]
//
// With files it plays just these. Else it plays the corpus and then variations of it until the time is
// over or so many messages were delivered; with --keep, what reaches new code joins the corpus. With
// --distil it copies those of the corpus that reach what no shorter one does, and ends. The last
// line is `sessions N, messages N, places N`. Ends with 1 and `violation: …` when a promise was broken;
// the input is then left as DIR/failing.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>

#include "coverage.h"
#include "mutator.h"
#include "path_session.h"
#include "session.h"

namespace {

namespace fs = std::filesystem;
using fuzz::Input;

struct Options {
  fs::path folder;
  fs::path corpus;
  fs::path distilled;
  uint64_t seed = 1;
  double seconds = 10;
  uint64_t messages = UINT64_MAX;
  bool isKept = false;
  bool isOfPaths = false;
  fuzz::Sabotage sabotage = fuzz::Sabotage::kNone;
  std::vector<fs::path> files;
};

const std::map<std::string, fuzz::Sabotage> kSabotages{
    {"lose", fuzz::Sabotage::kLoseMessage},         {"double", fuzz::Sabotage::kDoubleMessage},
    {"flip", fuzz::Sabotage::kFlipByte},            {"lose-reply", fuzz::Sabotage::kLoseReply},
    {"double-reply", fuzz::Sabotage::kDoubleReply}, {"keep-block", fuzz::Sabotage::kKeepBlock},
    {"lose-hint", fuzz::Sabotage::kLoseHint},       {"wrong-hint", fuzz::Sabotage::kWrongHint}};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    const auto value = [&] { return std::string(++i < argc ? argv[i] : ""); };
    if (name == "--folder") options.folder = value();
    else if (name == "--corpus") options.corpus = value();
    else if (name == "--distil") options.distilled = value();
    else if (name == "--seed") options.seed = std::stoull(value());
    else if (name == "--seconds") options.seconds = std::stod(value());
    else if (name == "--messages") options.messages = std::stoull(value());
    else if (name == "--keep") options.isKept = true;
    else if (name == "--paths") options.isOfPaths = true;
    else if (name == "--sabotage") options.sabotage = kSabotages.at(value());
    else options.files.emplace_back(name);
  }
  return options;
}

Input load(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Input(std::istreambuf_iterator<char>(file), {});
}

void save(const fs::path& path, const Input& input) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
}

std::string nameOf(const Input& input) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const uint8_t one : input) hash = (hash ^ one) * 0x100000001b3U;
  std::array<char, 17> name;
  std::snprintf(name.data(), name.size(), "%016llx", static_cast<unsigned long long>(hash));
  return name.data();
}

/** The input being played, in a file that survives whatever a sanitizer does to the process. */
class Witness {
 public:
  explicit Witness(const fs::path& path) : path_(path) {}
  void note(const Input& input) { save(path_, input); }
  void forget() { fs::remove(path_); }

 private:
  fs::path path_;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options), witness_(options.folder / "failing") {}

  /** @returns what promise was broken, if one was */
  std::optional<std::string> play(const Input& input) {
    witness_.note(input);
    sessions++;
    fuzz::Coverage::begin();
    try {
      if (options_.isOfPaths) {
        playOut(fuzz::PathSession(input, options_.sabotage));
      } else {
        playOut(fuzz::Session(input, options_.folder, options_.sabotage));
      }
    } catch (const std::exception& error) {
      return error.what();
    }
    const size_t places = coverage.places();
    isNew = coverage.addNew() > 0;
    isNewPlace = coverage.places() > places;
    return {};
  }

  void forgetWitness() { witness_.forget(); }

  uint64_t sessions = 0;
  uint64_t messages = 0;
  bool isNew = false;
  bool isNewPlace = false;
  fuzz::Coverage coverage;

 private:
  template <typename Kind>
  void playOut(Kind&& session) {
    session.play();
    messages += session.messages();
  }

  const Options& options_;
  Witness witness_;
};

/** The shortest variation that breaks the same promise, by leaving parts out. */
Input shortened(Run& run, Input input, const std::string& promise) {
  for (size_t part = input.size() / 2; part > 0; part /= 2) {
    for (size_t at = 0; at + part <= input.size();) {
      Input shorter = input;
      const auto from = shorter.begin() + static_cast<std::ptrdiff_t>(at);
      shorter.erase(from, from + static_cast<std::ptrdiff_t>(part));
      if (run.play(shorter) == promise) {
        input = std::move(shorter);
      } else {
        at += part;
      }
    }
  }
  return input;
}

int fail(Run& run, const Options& options, const Input& input, const std::string& promise) {
  const Input shorter = shortened(run, input, promise);
  save(options.folder / "failing", shorter);
  std::printf("violation: %s (%zu bytes)\n", promise.c_str(), shorter.size());
  return 1;
}

int fuzzFor(const Options& options) {
  Run run(options);
  std::vector<Input> corpus;
  std::vector<fs::path> files = options.files;
  if (files.empty() && !options.corpus.empty() && fs::exists(options.corpus)) {
    for (const auto& entry : fs::directory_iterator(options.corpus)) files.push_back(entry.path());
    // The shortest first, so that each reaches as much as it can be given credit for.
    std::ranges::sort(files, {}, [](const fs::path& file) { return std::pair(fs::file_size(file), file); });
  }
  for (const fs::path& file : files) {
    corpus.push_back(load(file));
    if (const auto broken = run.play(corpus.back())) {
      std::printf("%s\n", file.c_str());
      return fail(run, options, corpus.back(), *broken);
    }
    if (run.isNewPlace && !options.distilled.empty()) save(options.distilled / file.filename(), corpus.back());
  }
  fuzz::Mutator mutator(options.seed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(options.seconds);
  const bool isVaried = options.files.empty() && options.distilled.empty();
  while (isVaried && run.messages < options.messages && std::chrono::steady_clock::now() < end) {
    const Input input = mutator.next(corpus);
    if (const auto broken = run.play(input)) return fail(run, options, input, *broken);
    if (!run.isNew) continue;
    corpus.push_back(input);
    if (options.isKept) save(options.corpus / nameOf(input), input);
  }
  run.forgetWitness();
  std::printf("sessions %llu, messages %llu, places %zu\n", static_cast<unsigned long long>(run.sessions),
              static_cast<unsigned long long>(run.messages), run.coverage.places());
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return fuzzFor(parse(argc, argv)); }
