#include "log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace xcl {

namespace {

constexpr mode_t kLogMode = 0644;

// What node does not say without making an object; in the order of native/os/log-writer.ts.
struct FileFacts {
  uint64_t device;
  uint64_t inode;
  double size;
};

// The kernel counts how far it has come in a file that is appended to, too: so this is where the bytes ended,
// whatever others have done to the file meanwhile. Not every file has such a place.
off_t endOf(int fd) { return lseek(fd, 0, SEEK_CUR); }

// What is alone, as most of it is, costs a tenth less this way.
ssize_t writeSome(int fd, std::span<iovec> parts) {
  if (parts.size() == 1) return ::write(fd, parts[0].iov_base, parts[0].iov_len);
  return writev(fd, parts.data(), static_cast<int>(parts.size()));
}

// @returns 0 when all of it is out
int writeAll(int fd, std::span<iovec> parts, size_t& written) {
  while (!parts.empty()) {
    const ssize_t count = writeSome(fd, parts);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    // No file takes nothing of something for ever without an error.
    if (count == 0) return EIO;
    written += static_cast<size_t>(count);
    size_t done = static_cast<size_t>(count);
    while (!parts.empty() && done >= parts.front().iov_len) {
      done -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (parts.empty()) break;
    parts.front().iov_base = static_cast<std::byte*>(parts.front().iov_base) + done;
    parts.front().iov_len -= done;
  }
  return 0;
}

}  // namespace

Napi::Function LogWriter::define(Napi::Env env) {
  return DefineClass(env, "LogWriter",
                     {
                         InstanceMethod<&LogWriter::useSource>("useSource"),
                         InstanceMethod<&LogWriter::write>("write"),
                     });
}

LogWriter::LogWriter(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LogWriter>(info) {
  auto entries = info[0].As<Napi::ArrayBuffer>();
  entriesMemory_ = Napi::Persistent(entries);
  entries_ = {static_cast<LogEntry*>(entries.Data()), entries.ByteLength() / sizeof(LogEntry)};
  setSource(0, info[1].As<Napi::ArrayBuffer>());
}

void LogWriter::useSource(const Napi::CallbackInfo& info) { setSource(1, info[0].As<Napi::ArrayBuffer>()); }

void LogWriter::setSource(size_t which, const Napi::ArrayBuffer& memory) {
  auto kept = memory;
  sourcesMemory_[which] = Napi::Persistent(kept);
  sources_[which] = {static_cast<std::byte*>(kept.Data()), kept.ByteLength()};
}

// @returns how many entries are not as was expected
Napi::Value LogWriter::write(const Napi::CallbackInfo& info) {
  const auto count = std::min<size_t>(info[0].As<Napi::Number>().Uint32Value(), entries_.size());
  const auto queued = entries_.first(count);
  uint32_t unexpected = 0;
  for (size_t first = 0; first < count;) {
    size_t last = first + 1;
    while (last < count && last - first < kPartsAtOnce && queued[last].fd == queued[first].fd) last++;
    const auto run = queued.subspan(first, last - first);
    if (!writeRun(run)) unexpected += static_cast<uint32_t>(run.size());
    first = last;
  }
  return Napi::Number::New(info.Env(), unexpected);
}

// @returns whether all of it is where it was expected to be
bool LogWriter::writeRun(std::span<LogEntry> run) {
  std::array<iovec, kPartsAtOnce> parts;
  size_t wanted = 0;
  for (size_t i = 0; i < run.size(); i++) {
    const auto& source = sources_[run[i].source == 0 ? 0 : 1];
    const auto end = std::min<size_t>(run[i].end, source.size());
    const auto start = std::min<size_t>(run[i].start, end);
    parts[i] = iovec{source.data() + start, end - start};
    wanted += end - start;
  }
  // Nothing was written to the file, perhaps never: it has come nowhere.
  if (wanted == 0) return true;
  const int fd = run.front().fd;
  size_t written = 0;
  const int error = writeAll(fd, std::span(parts).first(run.size()), written);
  const off_t end = endOf(fd);
  if (error == 0 && (end < 0 || static_cast<uint32_t>(end) == run.back().expectedEnd)) return true;
  size_t left = written;
  for (LogEntry& entry : run) {
    const size_t length = entry.end - entry.start;
    entry.written = static_cast<uint32_t>(std::min(left, length));
    left -= entry.written;
    entry.error = entry.written < length ? error : 0;
    const auto at = static_cast<uint64_t>(std::max<off_t>(end, 0));
    entry.endLow = static_cast<uint32_t>(at);
    entry.endHigh = static_cast<uint32_t>(at >> 32);
  }
  return false;
}

// A pipe that nobody reads must not hold up all consoles, neither when it is opened nor when it is full.
Napi::Value openLog(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kLogMode);
  if (fd < 0) return Napi::Number::New(info.Env(), -errno);
  struct stat found {};
  if (fstat(fd, &found) != 0) {
    const int error = errno;
    ::close(fd);
    return Napi::Number::New(info.Env(), -error);
  }
  auto& facts = *static_cast<FileFacts*>(info[1].As<Napi::ArrayBuffer>().Data());
  facts = {found.st_dev, found.st_ino, S_ISREG(found.st_mode) ? static_cast<double>(found.st_size) : 0};
  return Napi::Number::New(info.Env(), fd);
}

}  // namespace xcl
