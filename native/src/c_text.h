// Texts from JavaScript for calls that take C strings: those end at the first NUL, so what holds one is
// refused instead of being cut there.
#pragma once

#include <napi.h>

#include <string>

namespace xcl {

/**
 * @param what of which the sentence of a failure speaks: `the disk's path`
 * @throws Failure `op` EINVAL
 */
std::string cTextFrom(const Napi::Value& value, const char* op, const std::string& what);

}  // namespace xcl
