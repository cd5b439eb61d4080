// The ACPI tables of a PVH guest: how many processors there are, and that there is nothing else.
#pragma once

#include <cstdint>
#include <vector>

namespace xcl {

/**
 * RSDP, XSDT, FADT (hardware-reduced), MADT and an empty DSDT in one piece, the RSDP first (ACPI 5.1,
 * chapter 5.2).
 * @param base guest-physical address where the piece will lie; 8-byte aligned
 */
std::vector<uint8_t> acpiTables(uint64_t base, uint32_t vcpus);

}  // namespace xcl
