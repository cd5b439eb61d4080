#include "scripts.h"

namespace xcl::sim {

namespace {

struct NamedScript {
  std::string_view name;
  Script run;
};

constexpr NamedScript kScripts[] = {
    {"hello", runHello},
    {"silent", runSilent},
    {"dies-at-boot", runDiesAtBoot},
    {"split", runSplit},
    {"flood-store", runFloodStore},
    {"ask", runAsk},
    {"flood-console", runFloodConsole},
    {"no-drain", runNoDrain},
    {"bad-index", runBadIndex},
    {"bad-console-index", runBadConsoleIndex},
    {"oversized", runOversized},
    {"garbage", runGarbage},
    {"watch-hoard", runWatchHoard},
    {"transaction-hoard", runTransactionHoard},
    {"path-bomb", runPathBomb},
    {"tap", runTap},
    {"print", runPrint},
};

}  // namespace

Script findScript(std::string_view name) {
  for (const NamedScript& script : kScripts) {
    if (script.name == name) return script.run;
  }
  return nullptr;
}

}  // namespace xcl::sim
