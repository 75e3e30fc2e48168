/* A clock on the wall that is set while processes run: loaded with LD_PRELOAD before the C library.

   The file named by CLOCK_SHIM holds 8 bytes, a signed number of seconds by which CLOCK_REALTIME is off from now
   on in all processes that were started with it. Other clocks go on as ever. Who waits until a time of that clock
   (omniORB, and so Tango, does) waits until it shows that time, as the kernel has it when a clock is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long seconds(void) {
    static volatile long long *off;
    if (!off) {
        static long long none;
        const char *path = getenv("CLOCK_SHIM");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *found = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0) close(fd);
        off = found == MAP_FAILED ? &none : found;
    }
    return *off;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, clock, now);
    if (!done && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += seconds();
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int done = syscall(SYS_gettimeofday, now, zone);
    if (!done) now->tv_sec += seconds();
    return done;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}

typedef int (*clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);

static clockwait real_clockwait(void) {
    static clockwait real;
    if (!real) real = (clockwait)dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    return real;
}

static int is_past(const struct timespec *end) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

/* In slices, since nobody wakes those who wait when the clock is set. */
static int wait_on_the_wall(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end) {
    for (;;) {
        if (is_past(end)) return ETIMEDOUT;
        struct timespec slice;
        clock_gettime(CLOCK_MONOTONIC, &slice);
        slice.tv_nsec += 10000000;
        if (slice.tv_nsec >= 1000000000) slice.tv_sec++, slice.tv_nsec -= 1000000000;
        int done = real_clockwait()(condition, mutex, CLOCK_MONOTONIC, &slice);
        if (done != ETIMEDOUT) return done;
    }
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *end) {
    if (clock == CLOCK_REALTIME) return wait_on_the_wall(condition, mutex, end);
    return real_clockwait()(condition, mutex, clock, end);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end) {
    /* The bit by which glibc knows a condition of another clock, as Python's are. */
    if (condition->__data.__wrefs & 2) return real_clockwait()(condition, mutex, CLOCK_MONOTONIC, end);
    return wait_on_the_wall(condition, mutex, end);
}
