// Many rings and sockets behind one descriptor: the native half of native/ring-set.ts, without any
// JavaScript, so that it can be driven by a fuzzer as well.
//
// One pass:  collect()  what is ready becomes active, what can go out goes out
//            fill()     one message of each connection of the first group into the batch
//            (TypeScript reads the batch, writes the output)
//            publishTaken()  the guests' consoles have room again
//            flush()    output into rings and sockets, the rest into queues; one notify per ring
//            endBatch() ids that were detached meanwhile become free
//
// Who is served when: active connections stand in a row, in groups; a pass serves one group.
//
//   active_   4 4 4 │ 5 5            5 are those who were found ready while 3 was served …
//   recent_   3 3 3                  … 3 comes back behind them, as group 6
//
// So whoever becomes ready waits, until its reply is out, for one request of each other connection
// at most: those served since then stand behind it, in another group, however it came to that.
//
// All that outlives a turn stands in ConnectionRecords and blocks of the state memory; a Peer holds
// only what a new process would make anew: mapping, descriptor, list links.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adopted_ring.h"
#include "block_pool.h"
#include "causing_requests.h"
#include "connection_record.h"
#include "machine.h"
#include "output_queue.h"
#include "path_table.h"
#include "peer_list.h"
#include "shared_ring.h"
#include "unique_fd.h"
#include "unix_socket.h"

namespace xcl {

/** kXenstore: framed messages both ways; kConsole: plain bytes. */
enum class RingKind { kXenstore, kConsole };

/** Memory handed over by TypeScript; outlives the set. */
struct RingSetMemory {
  /** Record 0 holds the list of free ids. */
  std::span<ConnectionRecord> records;
  /** Ends with the buckets of the queues. */
  std::span<std::byte> blocks;
  std::span<int32_t> batch;
  std::span<int32_t> output;
};

class RingSet : private QueueListener {
 public:
  RingSet(RingKind kind, std::unique_ptr<Machine> machine, const RingSetMemory& memory,
          const std::vector<uint32_t>& virqs);
  ~RingSet() override;
  RingSet(const RingSet&) = delete;
  RingSet& operator=(const RingSet&) = delete;

  /** What has ended a wait. */
  struct Found {
    /** There is something to collect. */
    bool isOwn = false;
    /** There is something for whom `watchLoop` was told of. */
    bool isLoop = false;
  };

  /** Readable when `collect` has something to find. */
  int pollFd() const { return epoll_.get(); }

  uint32_t attach(uint32_t domid, PageKind kind, uint64_t page, uint32_t remotePort, uint32_t features);
  uint32_t attachSelf();
  void reattach(uint32_t id, uint32_t remotePort);
  bool isBound(uint32_t id) const;
  void reconnect(uint32_t id);
  void reset(uint32_t id);
  void resume(uint32_t id);
  /** Consoles only: what is in the ring comes in its turn, held or not, and kBatchEmptied behind it. */
  void drain(uint32_t id);
  void detach(uint32_t id);
  void listen(const std::string& path);
  /** From now on a batch says which nodes its requests name. */
  void findPaths(const PathTableMemory& memory) { paths_.emplace(memory); }

  /** `wait` returns as soon as this is readable, too. */
  void watchLoop(int fd);
  /**
   * Waits until there is something to collect.
   * @param timeoutMs 0: only looks; -1: for ever
   */
  Found wait(int timeoutMs);
  void collect();
  /** @returns words in the batch; 0 when there is nothing to say */
  size_t fill();
  void flush(size_t words);
  /**
   * After a batch: as `flush`, but replies to a connection whose next message is there already may wait
   * for that one's, as nobody waits for them.
   * @returns false: something was held back; the output stays as it is and is added to
   */
  bool flushAwaited(size_t words);
  /**
   * The batch was handled: what it holds of consoles leaves their rings. Before that a program that is killed
   * leaves it there, for the next one. `notifyTouched` or a flush tells the guests.
   */
  void publishTaken();
  void endBatch();
  uint32_t expireEvents(uint32_t id, double olderThanMs);
  /** Tells guests about room and data that `fill` and `collect` have made. */
  void notifyTouched();

  // ring_set_adopt.cc: from one program to the next (native/handover.ts)
  /** Bytes that arrived and were not served. */
  std::vector<std::byte> inputOf(uint32_t id);
  /** Everything that was said and is not out, in order. */
  std::vector<std::byte> unsentOf(uint32_t id);
  /** How many bytes at the front of `unsentOf` are the rest of a message that is partly out. */
  uint32_t cutOf(uint32_t id);
  /** Whole messages that were taken are to be taken again, before everything else of the connection. */
  void putBack(uint32_t id, std::span<const std::byte> bytes);
  /** Stays open over an exec; -1: nobody listens. */
  int listenerFd() const { return listener_ ? listener_->fd() : -1; }
  int machineFd() const { return machine_->inheritableFd(); }
  void releaseVirqs();
  void bindVirqs();
  void adoptListener(int fd);
  /** @param isEnded nothing more is read from it */
  uint32_t adoptSocket(int fd, bool isEnded);
  uint32_t adoptRing(const AdoptedRing& ring);
  /** @param cut as `cutOf` gave it */
  void restoreOutput(uint32_t id, std::span<const std::byte> bytes, uint32_t cut);

  /** True when another turn would find something without waiting. */
  bool hasWork() const;
  /** The last pass was one connection's, and as far as is known nobody has anything: whoever comes wakes us. */
  bool isAllServed() const { return recent_.size() == 1 && !hasWork(); }
  /** True while the listening socket rests because descriptors or ids ran out. */
  bool isAcceptResting() const { return isAcceptResting_; }
  void retryAccept();

 private:
  /** What the process adds to a ConnectionRecord. */
  struct Peer {
    /** What is read and written for each message comes first. */
    std::byte* bytes = nullptr;
    UniqueFd fd;
    PeerLinks active;
    PeerLinks starved;
    /** Distinguishes the users of one id. */
    uint32_t generation = 0;
    /** Counts its requests, by their replies. */
    uint32_t requests = 0;
    /** Requests of which events wait for other connections, */
    uint32_t owing = 0;
    /** and the place of the last one; may be another's by now. */
    uint32_t causingPlace = 0;
    /** Distinguishes those whose requests are counted so. */
    uint32_t tenancy = 0;
    /** Group in active_. */
    uint32_t group = 0;
    /** Of a console: events without output that nobody was told of. */
    int32_t events = 0;
    /** The flush that its last reply left with. */
    uint32_t repliedIn = 0;
    /** First and last record of this flush, as index into outputs_, plus 1; how many are replies. */
    uint32_t firstOutput = 0;
    uint32_t lastOutput = 0;
    uint32_t repliesOut = 0;
    /** A socket that may have something to read; edge-triggered, so it has to be remembered. */
    bool isReadable = false;
    /** It has ended, failed, or has urgent bytes: what a read gives says nothing of what comes behind. */
    bool isSpecial = false;
    /** The socket's writability is waited for. */
    bool isArmed = false;
    bool isTouched = false;
    /** An event is among the records of this flush. */
    bool hasEventOut = false;
    /** Stands in recent_; then isReady says whether it is to come back into active_. */
    bool isRecent = false;
    bool isReady = false;
    /** Its port was left masked, until `resume`. */
    bool isMasked = false;
    /** What is taken next is the last that somebody waits for. */
    bool isDraining = false;
    /** At `bytes`. */
    std::unique_ptr<MappedPage> page;

    void setPage(std::unique_ptr<MappedPage> mapped) {
      page = std::move(mapped);
      bytes = page ? page->data() : nullptr;
    }
  };

  /** Something to be said of a connection, or (connection -1) of the machine. */
  struct Notice {
    int32_t connection;
    int32_t type;
    int32_t code;
    uint32_t generation;
  };

  struct Output {
    uint32_t offset;
    uint32_t next;
  };

  /** A console of which the batch holds everything before this index. */
  struct Taken {
    uint32_t id;
    uint32_t cons;
  };

  enum class Take { kMessage, kProgress, kIdle, kNoRoom };

  // ring_set.cc
  ConnectionRecord& record(uint32_t id) { return memory_.records[id]; }
  std::byte* page(uint32_t id) { return peers_[id].bytes; }
  bool isTaken(uint32_t id) const;
  static void require(bool isMet, uint32_t id);
  uint32_t takeId();
  void freeId(uint32_t id);
  void bindPort(uint32_t id);
  void ownPort(uint32_t id, uint32_t localPort);
  void unbindPort(uint32_t id);
  /** Binds the port that the guest's page names, otherwise the one given. */
  void bindGuestPort(uint32_t id, uint32_t remotePort);
  bool isReconnecting(uint32_t id);
  /** @returns whether the guest waits to be told: it has asked for a connection, or may wait for room */
  bool initialisePage(uint32_t id);
  void forgetTraffic(uint32_t id);
  void forgetQueue(uint32_t id);
  void activate(uint32_t id);
  void wakeStarved();
  void notice(uint32_t id, int32_t type, int32_t code);
  void breakRing(uint32_t id, int32_t code);
  void touch(uint32_t id);

  // ring_set_collect.cc
  void watchPorts();
  void watchListener();
  void collectEvent(const epoll_event& event);
  void collectPorts();
  size_t leaveMasked(std::span<uint32_t> ports);
  void countEvent(uint32_t id);
  void listenAgain(uint32_t id);
  void collectSocket(uint32_t id, uint32_t events);
  void collectNewcomers();
  bool acceptOne();

  // ring_set_input.cc
  void fillNotices();
  void comeBack();
  bool mayHaveMore(uint32_t id) const;
  bool hasWholeMessage(uint32_t id);
  void lookAhead(uint32_t id);
  void fetchPeer(uint32_t id) const;
  void fetchIndices(uint32_t id) const;
  void fetchData(uint32_t id) const;
  Take take(uint32_t id);
  Take gate(uint32_t id);
  Take takeConsole(uint32_t id);
  Take takeLast(uint32_t id);
  Take takeRequest(uint32_t id);
  Take takeSocket(uint32_t id);
  Take takeChained(uint32_t id);
  Take endSocket(uint32_t id);
  bool readOnce(uint32_t id);
  /** @returns where `wireBytes` from the type on go; null when the batch is full */
  int32_t* beginRecord(uint32_t id, uint32_t wireBytes);

  // ring_set_output.cc
  bool groupAll(size_t words);
  void group(uint32_t id, uint32_t offset);
  bool isReplyAwaited(uint32_t id);
  void settleFlush(bool isSound);
  void deliver(uint32_t id);
  void deliverToRing(uint32_t id);
  void deliverToSocket(uint32_t id);
  void writeQueued(uint32_t id);
  void writeQueuedToRing(uint32_t id);
  void writeQueuedToSocket(uint32_t id);
  void enqueue(uint32_t id, std::span<const std::byte> wire, uint32_t sent, uint32_t flags);
  bool hasRoomForEvent(const ConnectionRecord& entry, size_t bytes) const;
  void onEventGone(uint32_t place) override;
  void settleQueue(uint32_t id);
  void overflow(uint32_t id);
  void deafen(uint32_t id);
  void arm(uint32_t id, bool isArmed);
  uint32_t putAll(uint32_t id, RingWriter& writer, std::span<const std::byte> bytes);
  std::span<const std::byte> wireOf(const Output& output) const;

  RingKind kind_;
  std::unique_ptr<Machine> machine_;
  RingSetMemory memory_;
  BlockPool pool_;
  OutputQueue queue_;
  UniqueFd epoll_;
  std::optional<UnixListener> listener_;
  std::optional<PathTable> paths_;
  bool isAcceptResting_ = false;

  std::vector<Peer> peers_;
  PeerList<Peer, &Peer::active> active_;
  /** Those that are not read because blocks have become scarce. */
  PeerList<Peer, &Peer::starved> starved_;
  CausingRequests causing_;
  /** Local port to connection; VIRQ n stands as -(n + 1); 0 is nobody. */
  std::vector<int32_t> ports_;
  std::vector<uint32_t> virqs_;
  std::vector<uint32_t> virqPorts_;
  std::vector<Notice> notices_;
  std::vector<uint32_t> touched_;
  /** Those who are served next in this pass, the first of them first; 0: nobody. */
  std::array<uint32_t, 3> next_{};
  /** Served in the last pass, in that order. */
  std::vector<uint32_t> recent_;
  std::vector<uint32_t> freedInBatch_;
  std::vector<Taken> taken_;
  std::vector<uint32_t> flushed_;
  std::vector<Output> outputs_;
  bool isInBatch_ = false;
  /** The last group in active_. */
  uint32_t lastGroup_ = 0;
  uint32_t flushes_ = 0;
  /** Words of the output that are grouped already. */
  size_t groupedWords_ = 0;
  size_t used_ = 0;
  std::array<std::byte, 16384> scratch_;
  size_t scratchBytes_ = 0;
  /** What `wait` has found; `collect` begins with it. */
  std::array<epoll_event, 256> events_;
  size_t found_ = 0;
};

/** Monotonic milliseconds, comparable between processes of one boot. */
double monotonicMs();

/** What sockets are watched for; edge-triggered. */
inline constexpr uint32_t kSocketEvents = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;

/** struct xsd_sockmsg. */
struct WireHeader {
  uint32_t type;
  uint32_t reqId;
  uint32_t txId;
  uint32_t len;
};
inline constexpr uint32_t kWireHeaderBytes = 16;
inline constexpr uint32_t kPayloadMax = 4096;
inline constexpr uint32_t kOutputPayloadRoom = 8192;
inline constexpr uint32_t kRecordWords = 6;

/** Types below zero of native/ring-set.ts. */
inline constexpr int32_t kBatchOpened = -1;
inline constexpr int32_t kBatchClosed = -2;
inline constexpr int32_t kBatchBroken = -3;
inline constexpr int32_t kBatchDrained = -4;
inline constexpr int32_t kBatchVirq = -5;
inline constexpr int32_t kBatchData = -6;
inline constexpr int32_t kBatchReconnect = -7;
inline constexpr int32_t kBatchEvents = -8;
inline constexpr int32_t kBatchDropped = -9;
inline constexpr int32_t kBatchEmptied = -10;

/** PAUSED_DEAF of native/ring-set.ts. */
inline constexpr int32_t kPausedDeaf = 2;
/** Events of a console without output that make a BATCH_EVENTS. */
inline constexpr int32_t kEventsTold = 8;

/** Why a ring was given up; 1 to 3 are also what its `error` word says (xs_wire.h). */
inline constexpr int32_t kErrorCommunication = 1;
inline constexpr int32_t kErrorRingIndex = 2;
inline constexpr int32_t kErrorProtocol = 3;

}  // namespace xcl
