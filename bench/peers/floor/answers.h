// What the floor answers: sizes as a store's, contents from nowhere.
#pragma once

#include <string>
#include <string_view>

#include "../load/wire.h"

namespace xcl::peers {

/** A request, whole. */
struct Question {
  Header head;
  std::string_view payload;
};

/** The first of these bytes. @returns how many it has; 0 when the whole is not there */
size_t takeQuestion(std::string_view bytes, Question& question);

/** Appends the answer, header included. */
void appendAnswer(std::string& out, const Question& question);

}  // namespace xcl::peers
