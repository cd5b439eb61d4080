// The one thing that a daemon does not say by itself: that it serves from now on.
#pragma once

namespace xcl::stock {

/** Writes a line to descriptor 3, the first time that it is called. */
void sayReady();

}  // namespace xcl::stock
