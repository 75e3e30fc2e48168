/* Storage that misbehaves: loaded with LD_PRELOAD before the C library.

   The file named by STORAGE_SHIM holds one word that is obeyed at each write to a file whose name
   has .h5 in it: "stall" (wait until the word changes), "EIO", "ENOSPC", "short" (write a third of what
   was asked). Anything else: write as ever. A second word "scan.h5" takes the place of ".h5".

   "fail CALL NUMBER ERROR PART" fails one call alone: the NUMBER-th of its kind ("write", "read", "open",
   "fsync", "rename", which links too, "unlink", "truncate", "stat", "close", "mkdir", "mmap") that concerns a path with PART in
   it, counted over all processes, with ERROR, the name of an error, or "short". Each of these calls adds a byte
   to the file STORAGE_SHIM.count; the one that fails writes its path into STORAGE_SHIM.hit.
   STORAGE_SHIM_SLOW is how many microseconds a write to a file of the name .h5 takes longer.

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
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* The path of an open file, empty where it has none. */
static void path_of(int fd, char path[4096]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 4095);
    path[n < 0 ? 0 : n] = 0;
}

static int concerns(int fd, const char *wanted) {
    char name[4096];
    path_of(fd, name);
    return strstr(name, wanted) != NULL;
}

/* What the file named by STORAGE_SHIM holds. */
static void read_text(char text[256]) {
    const char *path = getenv("STORAGE_SHIM");
    int fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : syscall(SYS_read, fd, text, 255);
    if (fd >= 0) syscall(SYS_close, fd);
    text[n < 0 ? 0 : n] = 0;
}

/* The word, and the part of a name that it concerns. */
static void read_words(char word[32], char wanted[64]) {
    char text[256];
    read_text(text);
    word[0] = 0;
    strcpy(wanted, ".h5");
    sscanf(text, "%31s %63s", word, wanted);
}

/* Add to the file STORAGE_SHIM.suffix; how long it is then. */
static long long add(const char *suffix, const char *data, size_t size) {
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", getenv("STORAGE_SHIM"), suffix);
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (syscall(SYS_write, fd, data, size) != (long)size) abort();
    long long length = lseek(fd, 0, SEEK_CUR);
    syscall(SYS_close, fd);
    return length;
}

static int number_of(const char *error) {
    static const struct { const char *name; int number; } known[] = {
        {"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EACCES", EACCES}, {"ESTALE", ESTALE}, {"EDQUOT", EDQUOT}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, error)) return known[i].number;
    abort();
}

enum { GOES_ON, FAILS, ENDS_EARLY };

/* What becomes of this call where one of its kind is to fail; errno is set where it fails. */
static int fate(const char *call, const char *path) {
    char text[256], wanted_call[32], error[16], part[64];
    long long number;
    read_text(text);
    if (sscanf(text, "fail %31s %lld %15s %63s", wanted_call, &number, error, part) != 4) return GOES_ON;
    if (strcmp(call, wanted_call) || !path || !strstr(path, part)) return GOES_ON;
    if (add("count", ".", 1) != number) return GOES_ON;
    add("hit", path, strlen(path));
    if (!strcmp(error, "short")) return ENDS_EARLY;
    errno = number_of(error);
    return FAILS;
}

static int fate_of(const char *call, int fd) {
    char path[4096];
    path_of(fd, path);
    return fate(call, path);
}

/* -1 with errno set, or how many times shorter to write. */
static int obey(int fd) {
    char word[32], wanted[64];
    const char *slow = getenv("STORAGE_SHIM_SLOW");
    if (slow && concerns(fd, ".h5")) usleep(atoi(slow));
    for (;;) {
        read_words(word, wanted);
        if (!strcmp(word, "fail") || !concerns(fd, wanted)) return 1;
        if (strcmp(word, "stall")) break;
        usleep(5000);
    }
    if (!strcmp(word, "EIO")) return errno = EIO, -1;
    if (!strcmp(word, "ENOSPC")) return errno = ENOSPC, -1;
    return strcmp(word, "short") ? 1 : 3;
}

/* As `obey`, and where this call is the one that fails. */
static int obey_write(int fd) {
    int by = obey(fd);
    if (by != 1) return by;
    int how = fate_of("write", fd);
    return how == FAILS ? -1 : how == ENDS_EARLY ? 3 : 1;
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
    if (syscall(SYS_write, log, line, length) != length) abort();
    for (; parts && size > 0; parts++) {
        long long piece = (long long)parts->iov_len < size ? (long long)parts->iov_len : size;
        if (syscall(SYS_write, log, parts->iov_base, piece) != piece) abort();
        size -= piece;
    }
    syscall(SYS_close, log);
}

static size_t cut(size_t size, int by) { return size > (size_t)by ? size / by : size; }

#define PWRITE(name, offset_t)                                             \
    ssize_t name(int fd, const void *data, size_t size, offset_t offset) { \
        ssize_t (*real)(int, const void *, size_t, offset_t) = dlsym(RTLD_NEXT, #name); \
        int by = obey_write(fd);                                                 \
        ssize_t done = by < 0 ? -1 : real(fd, data, cut(size, by), offset); \
        struct iovec part = {(void *)data, size};                          \
        record("write", fd, offset, done, &part);                          \
        return done;                                                       \
    }

#define PWRITEV(name, offset_t)                                            \
    ssize_t name(int fd, const struct iovec *parts, int count, offset_t offset) { \
        ssize_t (*real)(int, const struct iovec *, int, offset_t) = dlsym(RTLD_NEXT, #name); \
        int by = obey_write(fd);                                                 \
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
        int by = obey_write(fd);                                                 \
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
        char path[4096];                                                   \
        path_of(fd, path);                                                 \
        hold("fsync", path);                                               \
        int fails = obey(fd) < 0 || fate("fsync", path) == FAILS;          \
        int done = fails ? -1 : real(fd);                                  \
        record("sync", fd, 0, done, NULL);                                 \
        return done;                                                       \
    }

#define TRUNCATE(name, offset_t)                                           \
    int name(int fd, offset_t size) {                                      \
        int (*real)(int, offset_t) = dlsym(RTLD_NEXT, #name);              \
        int done = fate_of("truncate", fd) == FAILS ? -1 : real(fd, size); \
        record("cut", fd, size, done, NULL);                               \
        return done;                                                       \
    }

#define LOOK(name, call)                                                   \
    int name(const char *path, void *into) {                               \
        int (*real)(const char *, void *) = dlsym(RTLD_NEXT, #name);       \
        hold(call, path);                                                  \
        return fate(call, path) == FAILS ? -1 : real(path, into);                                           \
    }

#define LOOK_AT(name, call)                                                \
    int name(int at, const char *path, void *into, int flags) {            \
        int (*real)(int, const char *, void *, int) = dlsym(RTLD_NEXT, #name); \
        hold(call, path);                                                  \
        return fate(call, path) == FAILS ? -1 : real(at, path, into, flags);                                \
    }

#define OPEN(name)                                                         \
    int name(const char *path, int flags, ...) {                           \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);     \
        va_list more;                                                      \
        va_start(more, flags);                                             \
        int mode = va_arg(more, int);                                      \
        va_end(more);                                                      \
        hold("open", path);                                                \
        return fate("open", path) == FAILS ? -1 : real(path, flags, mode);                                    \
    }

#define OPEN_AT(name)                                                      \
    int name(int at, const char *path, int flags, ...) {                   \
        int (*real)(int, const char *, int, ...) = dlsym(RTLD_NEXT, #name); \
        va_list more;                                                      \
        va_start(more, flags);                                             \
        int mode = va_arg(more, int);                                      \
        va_end(more);                                                      \
        hold("open", path);                                                \
        return fate("open", path) == FAILS ? -1 : real(at, path, flags, mode);                                \
    }

#define PREAD(name, offset_t)                                              \
    ssize_t name(int fd, void *data, size_t size, offset_t offset) {       \
        ssize_t (*real)(int, void *, size_t, offset_t) = dlsym(RTLD_NEXT, #name); \
        int how = fate_of("read", fd);                                     \
        return how == FAILS ? -1 : real(fd, data, cut(size, how == ENDS_EARLY ? 3 : 1), offset); \
    }

/* Calls of one or two paths. */
#define NAME(name, call, path, parameters, arguments)                      \
    int name parameters {                                                  \
        int (*real) parameters = dlsym(RTLD_NEXT, #name);                  \
        return fate(call, path) == FAILS ? -1 : real arguments;            \
    }

/* What fails here is closed all the same, as by Linux. */
int close(int fd) {
    int fails = fate_of("close", fd) == FAILS, error = errno;
    int done = syscall(SYS_close, fd);
    if (!fails) return done;
    errno = error;
    return -1;
}

/* Whether a descriptor is one of a file with a name, so that storage has to do with it. */
static int is_file(int fd) {
    char path[4096];
    path_of(fd, path);
    return path[0] == '/' && strncmp(path, "/dev/", 5);
}

ssize_t write(int fd, const void *data, size_t size) {
    if (!is_file(fd)) return syscall(SYS_write, fd, data, size);
    int by = obey_write(fd);
    return by < 0 ? -1 : syscall(SYS_write, fd, data, cut(size, by));
}

ssize_t read(int fd, void *data, size_t size) {
    if (!is_file(fd)) return syscall(SYS_read, fd, data, size);
    int how = fate_of("read", fd);
    return how == FAILS ? -1 : syscall(SYS_read, fd, data, cut(size, how == ENDS_EARLY ? 3 : 1));
}

#define MMAP(name, offset_t)                                               \
    void *name(void *at, size_t size, int protection, int flags, int fd, offset_t offset) { \
        if (fd >= 0 && fate_of("mmap", fd) == FAILS) return MAP_FAILED;    \
        return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset); \
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
PREAD(pread, off_t)
PREAD(pread64, off64_t)
NAME(rename, "rename", from, (const char *from, const char *to), (from, to))
NAME(renameat, "rename", from, (int at, const char *from, int at2, const char *to), (at, from, at2, to))
NAME(link, "rename", from, (const char *from, const char *to), (from, to))
NAME(linkat, "rename", from, (int at, const char *from, int at2, const char *to, int flags),
     (at, from, at2, to, flags))
NAME(unlink, "unlink", path, (const char *path), (path))
NAME(unlinkat, "unlink", path, (int at, const char *path, int flags), (at, path, flags))
NAME(mkdir, "mkdir", path, (const char *path, mode_t mode), (path, mode))
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)
