#include "guest_nodes.h"

namespace xcl::peers {

namespace {

using Leaves = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr std::string_view kUuid = "6e63b53e-8a0c-4f8e-9ef1-000000000000";
/** What the guest may write, below its home. */
constexpr std::string_view kGuests[] = {"data", "drivers", "feature", "attr", "error", "control/shutdown",
                                        "control/feature-poweroff", "control/feature-reboot",
                                        "control/feature-suspend", "control/sysrq"};

const Leaves kMemory = {{"memory/static-max", "65536"}, {"memory/target", "65536"}, {"memory/videoram", "0"},
                        {"domid", "17"},                {"store/port", "1"},        {"store/ring-ref", "1048575"},
                        {"cpu/0/availability", "online"}};
const Leaves kImage = {{"image/ostype", "linux"},
                       {"image/kernel", "/boot/guest"},
                       {"image/ramdisk", "/boot/ramdisk"},
                       {"image/cmdline", "console=hvc0"},
                       {"start_time", "1234567890.12"}};

/** A device: both halves, their kind and number. */
struct Device {
  std::string_view kind;
  std::string_view number;
  Leaves front;
  Leaves back;
  /** libxl keeps a copy of both halves below /libxl. */
  bool isKept;
};

// Kinds that QEMU serves and no kernel does: nobody reacts to them, and only the store works.
const Device kDisk = {
    "qdisk",
    "51712",
    {{"backend-id", "0"}, {"state", "1"}, {"virtual-device", "51712"}, {"device-type", "disk"}},
    {{"frontend-id", "17"},
     {"online", "1"},
     {"removable", "0"},
     {"bootable", "1"},
     {"state", "1"},
     {"dev", "xvda"},
     {"type", "phy"},
     {"mode", "w"},
     {"device-type", "disk"},
     {"discard-enable", "1"},
     {"params", "/dev/vg/guest"},
     {"script", "/etc/xen/scripts/block"}},
    true,
};
const Device kConsole = {
    "console",
    "0",
    {{"backend-id", "0"},
     {"limit", "1048576"},
     {"type", "xenconsoled"},
     {"output", "pty"},
     {"tty", ""},
     {"port", "2"},
     {"ring-ref", "1048574"}},
    {{"frontend-id", "17"}, {"online", "1"}, {"state", "1"}, {"protocol", "vt100"}},
    false,
};
const Device kCard = {
    "qnic",
    "0",
    {{"backend-id", "0"}, {"state", "1"}, {"handle", "0"}, {"mac", "00:16:3e:00:00:01"}, {"mtu", "1500"}},
    {{"frontend-id", "17"},
     {"online", "1"},
     {"state", "1"},
     {"script", "/etc/xen/scripts/vif-bridge"},
     {"mac", "00:16:3e:00:00:01"},
     {"bridge", "xenbr0"},
     {"handle", "0"},
     {"type", "vif"},
     {"hotplug-status", ""}},
    true,
};

class Writer {
 public:
  explicit Writer(uint32_t domid)
      : home("/local/domain/" + std::to_string(domid)),
        vm("/vm/" + std::string(kUuid) + std::to_string(domid)),
        libxl("/libxl/" + std::to_string(domid)),
        readOnly_("r" + std::to_string(domid)),
        owner_("n" + std::to_string(domid)),
        domid_(std::to_string(domid)) {}

  void start() { steps.push_back({Op::kTransactionStart, std::string(1, '\0')}); }
  void end() { steps.push_back({Op::kTransactionEnd, path("T")}); }
  void remove(const std::string& node) { steps.push_back({Op::kRemove, path(node)}); }
  void mkdir(const std::string& node) { steps.push_back({Op::kMkdir, path(node)}); }
  void read(const std::string& node) { steps.push_back({Op::kRead, path(node)}); }
  void write(const std::string& node, std::string_view value) {
    steps.push_back({Op::kWrite, pair(node, value, false)});
  }
  void writeAll(const std::string& folder, const Leaves& leaves) {
    for (const auto& [name, value] : leaves) write(folder + "/" + std::string(name), value);
  }
  void watch(const std::string& node) { steps.push_back({Op::kWatch, pair(node, "3/0", true)}); }
  void unwatch(const std::string& node) { steps.push_back({Op::kUnwatch, pair(node, "3/0", true)}); }
  void allowRead(const std::string& node) {
    steps.push_back({Op::kSetPerms, pair(node, pair("n0", readOnly_, true), false)});
  }
  void giveAway(const std::string& node) { steps.push_back({Op::kSetPerms, pair(node, owner_, true)}); }
  void keep(const std::string& node) { steps.push_back({Op::kSetPerms, pair(node, "n0", true)}); }

  std::string front(const Device& device) const {
    return home + "/device/" + std::string(device.kind) + "/" + std::string(device.number);
  }
  std::string back(const Device& device) const {
    return "/local/domain/0/backend/" + std::string(device.kind) + "/" + domid_ + "/" + std::string(device.number);
  }
  std::string kept(const Device& device) const {
    return libxl + "/device/" + std::string(device.kind) + "/" + std::string(device.number);
  }

  const std::string home;
  const std::string vm;
  const std::string libxl;
  Steps steps;

 private:
  std::string readOnly_;
  std::string owner_;
  std::string domid_;
};

void addByLibxl(Writer& to, const Device& device) {
  const std::string front = to.front(device);
  const std::string back = to.back(device);
  const std::string kept = to.kept(device);
  to.start();
  to.mkdir(front);
  to.giveAway(front);
  to.mkdir(back);
  to.allowRead(back);
  to.mkdir(kept + "/frontend");
  to.keep(kept + "/frontend");
  to.mkdir(kept + "/backend");
  to.keep(kept + "/backend");
  to.write(front + "/backend", back);
  to.writeAll(front, device.front);
  to.write(back + "/frontend", front);
  to.writeAll(back, device.back);
  if (device.isKept) {
    to.write(kept + "/frontend", front);
    to.write(kept + "/backend", back);
    to.write(kept + "/frontend/backend", back);
    to.writeAll(kept + "/frontend", device.front);
    to.write(kept + "/backend/frontend", front);
    to.writeAll(kept + "/backend", device.back);
  }
  to.end();
}

/** libxl waits for a back end by a watch, and looks at its state when it is told. */
void awaitBackend(Writer& to, const Device& device) {
  const std::string state = to.back(device) + "/state";
  const std::string hotplug = to.back(device) + "/online";
  to.watch(state);
  to.read(state);
  to.read(state);
  to.unwatch(state);
  to.watch(hotplug);
  to.read(hotplug);
  to.unwatch(hotplug);
}

void addByXcl(Writer& to, const Device& device) {
  const std::string front = to.front(device);
  const std::string back = to.back(device);
  to.write(front + "/backend", back);
  to.giveAway(front);
  to.writeAll(front, device.front);
  to.write(back + "/frontend", front);
  to.allowRead(back);
  to.writeAll(back, device.back);
}

}  // namespace

std::vector<std::string> foldersOf(uint32_t domid) {
  const Writer names(domid);
  const std::string backends = "/local/domain/0/backend/";
  const std::string number = "/" + std::to_string(domid);
  return {names.home,
          names.vm,
          names.libxl,
          backends + std::string(kDisk.kind) + number,
          backends + std::string(kConsole.kind) + number,
          backends + std::string(kCard.kind) + number};
}

Steps libxlSteps(uint32_t domid) {
  Writer to(domid);
  const std::string& home = to.home;
  to.start();
  for (const std::string& folder : {home, to.vm, to.libxl}) to.remove(folder);
  for (const std::string& folder : {home, to.vm}) {
    to.mkdir(folder);
    to.allowRead(folder);
  }
  for (const std::string& folder : {to.libxl, to.libxl + "/device"}) {
    to.mkdir(folder);
    to.keep(folder);
  }
  for (const std::string_view name : {"cpu", "memory", "device", "control"}) {
    to.mkdir(home + "/" + std::string(name));
    to.allowRead(home + "/" + std::string(name));
  }
  for (const std::string_view name : kGuests) {
    to.mkdir(home + "/" + std::string(name));
    to.giveAway(home + "/" + std::string(name));
  }
  to.mkdir(home + "/device/suspend/event-channel");
  to.giveAway(home + "/device/suspend/event-channel");
  to.write(home + "/vm", to.vm);
  to.write(home + "/name", "guest");
  to.write(to.vm + "/name", "guest");
  to.write(to.vm + "/uuid", kUuid);
  to.write(to.libxl + "/type", "pvh");
  for (const std::string_view name : {"multiprocessor-suspend", "xs_reset_watches"}) {
    const std::string node = home + "/control/platform-feature-" + std::string(name);
    to.write(node, "1");
    to.allowRead(node);
  }
  to.allowRead(home + "/name");
  to.allowRead(to.vm + "/name");
  to.end();

  to.start();
  to.writeAll(home, kMemory);
  to.writeAll(to.vm, kImage);
  to.end();
  addByLibxl(to, kDisk);
  awaitBackend(to, kDisk);
  addByLibxl(to, kConsole);
  addByLibxl(to, kCard);
  awaitBackend(to, kCard);
  for (const std::string_view name : {"name", "vm", "domid", "memory/target", "control/shutdown", "store/port"}) {
    to.read(home + "/" + std::string(name));
  }
  return std::move(to.steps);
}

Steps xclSteps(uint32_t domid) {
  Writer to(domid);
  const std::string& home = to.home;
  for (const std::string& folder : foldersOf(domid)) to.remove(folder);
  // As long as the home is the guest's, what is made in it is the guest's, too.
  to.mkdir(home);
  to.giveAway(home);
  for (const std::string_view name : kGuests) to.write(home + "/" + std::string(name), "");
  to.allowRead(home + "/control");
  to.allowRead(home);
  to.write(home + "/vm", to.vm);
  to.write(home + "/name", "guest");
  to.write(home + "/device/suspend/event-channel", "");
  to.giveAway(home + "/device/suspend/event-channel");
  for (const std::string_view name : {"multiprocessor-suspend", "xs_reset_watches"}) {
    to.write(home + "/control/platform-feature-" + std::string(name), "1");
  }
  to.writeAll(home, kMemory);
  to.mkdir(to.vm);
  to.allowRead(to.vm);
  to.write(to.vm + "/name", "guest");
  to.write(to.vm + "/uuid", kUuid);
  to.writeAll(to.vm, kImage);
  to.write(to.libxl + "/type", "pvh");
  addByXcl(to, kConsole);
  addByXcl(to, kCard);
  addByXcl(to, kDisk);
  return std::move(to.steps);
}

Steps fewSteps(uint32_t domid) {
  Writer to(domid);
  to.mkdir(to.home);
  to.allowRead(to.home);
  to.write(to.home + "/control/shutdown", "");
  to.write(to.home + "/memory/target", "65536");
  to.mkdir(to.home + "/data");
  to.giveAway(to.home + "/data");
  return std::move(to.steps);
}

}  // namespace xcl::peers
