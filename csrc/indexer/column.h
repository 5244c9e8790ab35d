// SPDX-License-Identifier: GPL-3.0-or-later

// Records that are only added to. There may be millions: the memory grows in place where the C library can do that, and
// nothing of it is touched before it is used.

#ifndef CRFS_COLUMN_H
#define CRFS_COLUMN_H

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace crfs {

template <typename T>
class Column {
  static_assert(std::is_trivially_copyable<T>::value, "it is moved by realloc");

public:
  Column() = default;
  Column(const Column &) = delete;
  Column &operator=(const Column &) = delete;
  ~Column() {
    free(at_);
  }

  // False: there is no memory.
  bool Append(const T *records, size_t count) {
    if (count > capacity_ - count_ && !Grow(count_ + count))
      return false;
    if (count > 0)
      memcpy(static_cast<void *>(at_ + count_), records, count * sizeof(T));
    count_ += count;
    return true;
  }
  bool Add(const T &record) {
    return Append(&record, 1);
  }
  // Makes it COUNT records, all zero.
  bool Zeroed(size_t count) {
    free(at_);
    at_ = static_cast<T *>(calloc(std::max<size_t>(count, 1), sizeof(T)));
    count_ = capacity_ = at_ == nullptr ? 0 : count;
    return at_ != nullptr;
  }
  void Swap(Column &other) {
    std::swap(at_, other.at_);
    std::swap(count_, other.count_);
    std::swap(capacity_, other.capacity_);
  }

  T &operator[](size_t i) {
    return at_[i];
  }
  const T &operator[](size_t i) const {
    return at_[i];
  }
  T *begin() {
    return at_;
  }
  T *end() {
    return at_ + count_;
  }
  const T *begin() const {
    return at_;
  }
  const T *end() const {
    return at_ + count_;
  }
  size_t Count() const {
    return count_;
  }
  // Bytes of memory.
  size_t Memory() const {
    return capacity_ * sizeof(T);
  }

private:
  bool Grow(size_t least) {
    size_t capacity = std::max(least, capacity_ + std::max<size_t>(capacity_ / 4, 1024));
    void *at = realloc(static_cast<void *>(at_), capacity * sizeof(T));
    if (at == nullptr)
      return false;
    at_ = static_cast<T *>(at);
    capacity_ = capacity;
    return true;
  }

  T *at_ = nullptr;
  size_t count_ = 0;
  size_t capacity_ = 0;
};

} // namespace crfs

#endif
