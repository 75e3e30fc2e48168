/* Storage that misbehaves: loaded with LD_PRELOAD before the C library.

   The file named by STORAGE_SHIM holds one word that is obeyed at each write to a file whose name
   has .h5 in it: "stall" (wait until the word changes), "EIO", "ENOSPC", "short" (write a third of what
   was asked). Anything else: write as ever. A second word "scan.h5" takes the place of ".h5".

   "hang" makes every call hang that looks at, opens or syncs something with the second word in its path,
   until the word changes; "statvfs", "stat", "open" and "fsync" only those calls.

   With STORAGE_SHIM_LOG, a file, each write, cut and sync that succeeds is written there, in order, as
   a line "CALL INODE OFFSET SIZE" and, of a write, the bytes (see storage.py). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int concerns(int fd, const char *wanted) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (n < 0) return 0;
    name[n] = 0;
    return strstr(name, wanted) != NULL;
}

/* The word, and the part of a name that it concerns. */
static void read_words(char word[32], char wanted[64]) {
    char text[96];
    const char *path = getenv("STORAGE_SHIM");
    int fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[n < 0 ? 0 : n] = 0;
    word[0] = 0;
    strcpy(wanted, ".h5");
    sscanf(text, "%31s %63s", word, wanted);
}

/* -1 with errno set, or how many times shorter to write. */
static int obey(int fd) {
    char word[32], wanted[64];
    for (;;) {
        read_words(word, wanted);
        if (!concerns(fd, wanted)) return 1;
        if (strcmp(word, "stall")) break;
        usleep(5000);
    }
    if (!strcmp(word, "EIO")) return errno = EIO, -1;
    if (!strcmp(word, "ENOSPC")) return errno = ENOSPC, -1;
    return strcmp(word, "short") ? 1 : 3;
}

/* Hang as long as the word says so. */
static void hold(const char *call, const char *path) {
    char word[32], wanted[64];
    for (;;) {
        read_words(word, wanted);
        if (!path || !strstr(path, wanted)) return;
        if (strcmp(word, "hang") && strcmp(word, call)) return;
        usleep(5000);
    }
}

/* Note a call that took `size` bytes of `parts`. */
static void record(const char *call, int fd, long long offset, long long size, const struct iovec *parts) {
    const char *path = getenv("STORAGE_SHIM_LOG");
    if (!path || size < 0) return;
    int log = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    struct statx state;  // not stat: its header declares what is defined below
    syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &state);
    char line[128];
    int length = snprintf(line, sizeof line, "%s %llu %lld %lld\n", call,
                          (unsigned long long)state.stx_ino, offset, size);
    if (write(log, line, length) != length) abort();
    for (; parts && size > 0; parts++) {
        long long piece = (long long)parts->iov_len < size ? (long long)parts->iov_len : size;
        if (write(log, parts->iov_base, piece) != piece) abort();
        size -= piece;
    }
    close(log);
}

static size_t cut(size_t size, int by) { return size > (size_t)by ? size / by : size; }

#define PWRITE(name, offset_t)                                             \
    ssize_t name(int fd, const void *data, size_t size, offset_t offset) { \
        ssize_t (*real)(int, const void *, size_t, offset_t) = dlsym(RTLD_NEXT, #name); \
        int by = obey(fd);                                                 \
        ssize_t done = by < 0 ? -1 : real(fd, data, cut(size, by), offset); \
        struct iovec part = {(void *)data, size};                          \
        record("write", fd, offset, done, &part);                          \
        return done;                                                       \
    }

#define PWRITEV(name, offset_t)                                            \
    ssize_t name(int fd, const struct iovec *parts, int count, offset_t offset) { \
        ssize_t (*real)(int, const struct iovec *, int, offset_t) = dlsym(RTLD_NEXT, #name); \
        int by = obey(fd);                                                 \
        struct iovec first = {parts[0].iov_base, cut(parts[0].iov_len, by)}; \
        ssize_t done = by < 0    ? -1                                      \
                       : by == 1 ? real(fd, parts, count, offset)          \
                                 : real(fd, &first, 1, offset);            \
        record("write", fd, offset, done, parts);                          \
        return done;                                                       \
    }

#define PWRITEV2(name, offset_t)                                           \
    ssize_t name(int fd, const struct iovec *parts, int count, offset_t offset, int flags) { \
        ssize_t (*real)(int, const struct iovec *, int, offset_t, int) = dlsym(RTLD_NEXT, #name); \
        int by = obey(fd);                                                 \
        struct iovec first = {parts[0].iov_base, cut(parts[0].iov_len, by)}; \
        ssize_t done = by < 0    ? -1                                      \
                       : by == 1 ? real(fd, parts, count, offset, flags)   \
                                 : real(fd, &first, 1, offset, flags);     \
        record("write", fd, offset, done, parts);                          \
        return done;                                                       \
    }

#define SYNC(name)                                                         \
    int name(int fd) {                                                     \
        int (*real)(int) = dlsym(RTLD_NEXT, #name);                        \
        char link[64], path[4096];                                         \
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);               \
        ssize_t n = readlink(link, path, sizeof path - 1);                 \
        path[n < 0 ? 0 : n] = 0;                                           \
        hold("fsync", path);                                               \
        int done = obey(fd) < 0 ? -1 : real(fd);                           \
        record("sync", fd, 0, done, NULL);                                 \
        return done;                                                       \
    }

#define TRUNCATE(name, offset_t)                                           \
    int name(int fd, offset_t size) {                                      \
        int (*real)(int, offset_t) = dlsym(RTLD_NEXT, #name);              \
        int done = real(fd, size);                                         \
        record("cut", fd, size, done, NULL);                               \
        return done;                                                       \
    }

#define LOOK(name, call)                                                   \
    int name(const char *path, void *into) {                               \
        int (*real)(const char *, void *) = dlsym(RTLD_NEXT, #name);       \
        hold(call, path);                                                  \
        return real(path, into);                                           \
    }

#define LOOK_AT(name, call)                                                \
    int name(int at, const char *path, void *into, int flags) {            \
        int (*real)(int, const char *, void *, int) = dlsym(RTLD_NEXT, #name); \
        hold(call, path);                                                  \
        return real(at, path, into, flags);                                \
    }

#define OPEN(name)                                                         \
    int name(const char *path, int flags, ...) {                           \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);     \
        va_list more;                                                      \
        va_start(more, flags);                                             \
        int mode = va_arg(more, int);                                      \
        va_end(more);                                                      \
        hold("open", path);                                                \
        return real(path, flags, mode);                                    \
    }

#define OPEN_AT(name)                                                      \
    int name(int at, const char *path, int flags, ...) {                   \
        int (*real)(int, const char *, int, ...) = dlsym(RTLD_NEXT, #name); \
        va_list more;                                                      \
        va_start(more, flags);                                             \
        int mode = va_arg(more, int);                                      \
        va_end(more);                                                      \
        hold("open", path);                                                \
        return real(at, path, flags, mode);                                \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)
PWRITEV2(pwritev2, off_t)
PWRITEV2(pwritev64v2, off64_t)
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)
SYNC(fsync)
SYNC(fdatasync)
LOOK(statvfs, "statvfs")
LOOK(statvfs64, "statvfs")
LOOK(stat, "stat")
LOOK(stat64, "stat")
LOOK(lstat, "stat")
LOOK(lstat64, "stat")
LOOK_AT(fstatat, "stat")
LOOK_AT(fstatat64, "stat")
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
