#include "acpi_tables.h"

#include <cstring>
#include <numeric>
#include <string_view>

namespace xcl {

namespace {

constexpr size_t kHeaderBytes = 36;
constexpr size_t kRsdpBytes = 36;
constexpr size_t kFadtBytes = 268;
constexpr uint32_t kLapicAddress = 0xfee00000;
constexpr uint32_t kLapicEnabled = 1;

// FADT flags: WBINVD works, C1 everywhere, no fixed power and sleep buttons, no ACPI hardware.
constexpr uint32_t kFadtFlags = 1U << 0 | 1U << 2 | 1U << 4 | 1U << 5 | 1U << 20;
// FADT boot architecture: no VGA, no CMOS clock; no legacy devices and no keyboard controller either.
constexpr uint16_t kFadtBootArchitecture = 1U << 2 | 1U << 5;

/** Bytes of one table, little-endian. */
class Table {
 public:
  explicit Table(size_t bytes) : bytes_(bytes) {}

  /** Begins with the header that all tables but the RSDP have. */
  static Table withHeader(std::string_view signature, uint8_t revision, size_t bytes) {
    Table table(bytes);
    table.text(0, signature);
    table.put<uint32_t>(4, static_cast<uint32_t>(bytes));
    table.put<uint8_t>(8, revision);
    table.text(10, "xcl   ");
    table.text(16, "xcl pvh ");
    table.put<uint32_t>(24, 1);
    table.text(28, "xcl ");
    table.put<uint32_t>(32, 1);
    return table;
  }

  template <typename T>
  void put(size_t offset, T value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof(value));
  }

  void text(size_t offset, std::string_view value) { std::memcpy(bytes_.data() + offset, value.data(), value.size()); }

  /** Makes the first `count` bytes add up to 0. */
  void seal(size_t place, size_t count) {
    bytes_[place] = 0;
    bytes_[place] = static_cast<uint8_t>(0 - std::accumulate(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count), 0));
  }
  void seal() { seal(9, bytes_.size()); }

  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

Table madt(uint32_t vcpus) {
  constexpr size_t kFixedBytes = kHeaderBytes + 8;
  constexpr size_t kEntryBytes = 8;
  Table table = Table::withHeader("APIC", 3, kFixedBytes + vcpus * kEntryBytes);
  table.put<uint32_t>(36, kLapicAddress);
  for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++) {
    const size_t at = kFixedBytes + vcpu * kEntryBytes;
    table.put<uint8_t>(at + 1, kEntryBytes);
    table.put<uint8_t>(at + 2, static_cast<uint8_t>(vcpu));
    // Xen numbers the LAPICs of a guest by twos.
    table.put<uint8_t>(at + 3, static_cast<uint8_t>(vcpu * 2));
    table.put<uint32_t>(at + 4, kLapicEnabled);
  }
  table.seal();
  return table;
}

Table fadt(uint64_t dsdt) {
  Table table = Table::withHeader("FACP", 5, kFadtBytes);
  table.put<uint32_t>(40, static_cast<uint32_t>(dsdt));
  table.put<uint16_t>(109, kFadtBootArchitecture);
  table.put<uint32_t>(112, kFadtFlags);
  table.put<uint8_t>(131, 1);
  table.put<uint64_t>(140, dsdt);
  table.seal();
  return table;
}

Table xsdt(uint64_t fadtAddress, uint64_t madtAddress) {
  Table table = Table::withHeader("XSDT", 1, kHeaderBytes + 16);
  table.put<uint64_t>(kHeaderBytes, fadtAddress);
  table.put<uint64_t>(kHeaderBytes + 8, madtAddress);
  table.seal();
  return table;
}

Table rsdp(uint64_t xsdtAddress) {
  Table table(kRsdpBytes);
  table.text(0, "RSD PTR ");
  table.text(9, "xcl   ");
  table.put<uint8_t>(15, 2);
  table.put<uint32_t>(20, kRsdpBytes);
  table.put<uint64_t>(24, xsdtAddress);
  table.seal(8, 20);
  table.seal(32, kRsdpBytes);
  return table;
}

}  // namespace

std::vector<uint8_t> acpiTables(uint64_t base, uint32_t vcpus) {
  std::vector<uint8_t> all(kRsdpBytes);
  const auto add = [&](Table table) {
    all.resize((all.size() + 7) / 8 * 8);
    const uint64_t address = base + all.size();
    all.insert(all.end(), table.bytes().begin(), table.bytes().end());
    return address;
  };
  Table dsdt = Table::withHeader("DSDT", 2, kHeaderBytes);
  dsdt.seal();
  const uint64_t fadtAddress = add(fadt(add(dsdt)));
  const uint64_t xsdtAddress = add(xsdt(fadtAddress, add(madt(vcpus))));
  const Table first = rsdp(xsdtAddress);
  std::memcpy(all.data(), first.bytes().data(), kRsdpBytes);
  return all;
}

}  // namespace xcl
