// SPDX-License-Identifier: GPL-3.0-or-later

// The daemon's side of the control socket: packets with descriptors, which Node's net cannot carry.

#include "addon/addon.h"
#include "shared/control.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace crfs {

namespace {

// controlAnswers(path) -> whether somebody listens there. Throws what is no answer to that.
Napi::Value ControlAnswers(const Napi::CallbackInfo &info) {
  std::string path = info[0].As<Napi::String>().Utf8Value();
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return ThrowErrno(info.Env(), "connect", ENAMETOOLONG);
  memcpy(address.sun_path, path.data(), path.size());
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return ThrowErrno(info.Env(), "socket", errno);
  int error = connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) < 0 ? errno : 0;
  close(fd);
  if (error != 0 && error != ENOENT && error != ECONNREFUSED && error != EAGAIN)
    return ThrowErrno(info.Env(), "connect", error);
  return Napi::Boolean::New(info.Env(), error == 0 || error == EAGAIN); // EAGAIN: so many wait that it takes no more
}

// controlListen(path) -> fd of a listening SOCK_SEQPACKET socket.
Napi::Value ControlListen(const Napi::CallbackInfo &info) {
  std::string path = info[0].As<Napi::String>().Utf8Value();
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return ThrowErrno(info.Env(), "bind", ENAMETOOLONG);
  memcpy(address.sun_path, path.data(), path.size());
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return ThrowErrno(info.Env(), "socket", errno);
  if (bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) < 0 || listen(fd, 128) < 0) {
    int error = errno;
    close(fd);
    return ThrowErrno(info.Env(), "bind", error);
  }
  return Napi::Number::New(info.Env(), fd);
}

// controlAccept(fd) -> {fd, uid, pid} of a new connection, or null: none waits.
Napi::Value ControlAccept(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  int fd = accept4(info[0].As<Napi::Number>().Int32Value(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
      return env.Null();
    return ThrowErrno(env, "accept", errno);
  }
  ucred peer = {};
  socklen_t length = sizeof peer;
  int on = 1;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) {
    int error = errno;
    close(fd);
    return ThrowErrno(env, "getsockopt", error);
  }
  Napi::Object connection = Napi::Object::New(env);
  connection.Set("fd", Napi::Number::New(env, fd));
  connection.Set("uid", Napi::Number::New(env, peer.uid));
  connection.Set("pid", Napi::Number::New(env, peer.pid));
  return connection;
}

// controlReceive(fd, buffer) -> {length, fds, pid} of one packet, length 0 at the end of the connection; null: none
// waits. A packet longer than the buffer is cut, as its own text length then shows. The caller owns the descriptors.
// The pid is that of the sender, 0 where it is in no namespace of ours.
Napi::Value ControlReceive(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Napi::Uint8Array buffer = info[1].As<Napi::Uint8Array>();
  iovec data = {buffer.Data(), buffer.ByteLength()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * CRFS_CONTROL_FD_LIMIT)];
  ucred sender = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t length = recvmsg(info[0].As<Napi::Number>().Int32Value(), &message, MSG_CMSG_CLOEXEC);
  if (length < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return env.Null();
    if (errno != ECONNRESET)
      return ThrowErrno(env, "recvmsg", errno);
    length = 0;
    message.msg_controllen = 0;
  }
  Napi::Array fds = Napi::Array::New(env);
  uint32_t count = 0;
  for (cmsghdr *c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
      memcpy(&sender, CMSG_DATA(c), sizeof sender);
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
      int received;
      memcpy(&received, CMSG_DATA(c) + i * sizeof(int), sizeof received);
      fds[count++] = Napi::Number::New(env, received);
    }
  }
  Napi::Object packet = Napi::Object::New(env);
  packet.Set("length", Napi::Number::New(env, static_cast<double>(length)));
  packet.Set("fds", fds);
  packet.Set("pid", Napi::Number::New(env, sender.pid));
  packet.Set("cut", Napi::Boolean::New(env, (message.msg_flags & MSG_CTRUNC) != 0)); // descriptors were lost
  return packet;
}

// controlSend(fd, bytes, fds): sends one packet. The caller keeps its descriptors. Throws EAGAIN if the peer does not
// read, and EPIPE if it is gone.
Napi::Value ControlSend(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
  Napi::Array fds = info[2].As<Napi::Array>();
  iovec data = {bytes.Data(), bytes.ByteLength()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * CRFS_CONTROL_FD_LIMIT)] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  size_t count = fds.Length();
  if (count > CRFS_CONTROL_FD_LIMIT)
    return ThrowErrno(env, "sendmsg", E2BIG);
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t i = 0; i < count; i++) {
      int fd = fds.Get(i).As<Napi::Number>().Int32Value();
      memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof fd);
    }
  }
  if (sendmsg(info[0].As<Napi::Number>().Int32Value(), &message, MSG_NOSIGNAL) < 0)
    return ThrowErrno(env, "sendmsg", errno);
  return env.Undefined();
}

} // namespace

void AddSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("controlAnswers", Napi::Function::New(env, ControlAnswers));
  exports.Set("controlListen", Napi::Function::New(env, ControlListen));
  exports.Set("controlAccept", Napi::Function::New(env, ControlAccept));
  exports.Set("controlReceive", Napi::Function::New(env, ControlReceive));
  exports.Set("controlSend", Napi::Function::New(env, ControlSend));
}

} // namespace crfs
