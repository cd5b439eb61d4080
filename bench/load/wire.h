/* XenStore's message header and the few operations the load uses (xen/include/public/io/xs_wire.h). */
#ifndef XCL_BENCH_WIRE_H
#define XCL_BENCH_WIRE_H
#include <stdint.h>

struct message_header {
  uint32_t type;
  uint32_t req_id;
  uint32_t tx_id;
  uint32_t len;
};

enum { OP_READ = 2, OP_WRITE = 11, OP_ERROR = 16, PAYLOAD_MAX = 4096 };

#endif
