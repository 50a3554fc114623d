/* Kills the process at the n-th call that changes a file, before the call is made.

   Loaded with LD_PRELOAD; kill_at(n) says at which call from now on, -1 at none. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long left = -1;

void kill_at(long n) { left = n; }

static void count(void) {
    if (left < 0) return;
    if (left-- == 0) kill(getpid(), SIGKILL);
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name);

ssize_t write(int f, const void *b, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (f > 2) count();
    return real(f, b, n);
}
ssize_t pwrite(int f, const void *b, size_t n, off_t o) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t); count(); return real(f, b, n, o);
}
ssize_t pwrite64(int f, const void *b, size_t n, off64_t o) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t); count(); return real(f, b, n, o);
}
ssize_t writev(int f, const struct iovec *v, int n) {
    REAL(ssize_t, "writev", int, const struct iovec *, int); if (f > 2) count(); return real(f, v, n);
}
int fsync(int f) { REAL(int, "fsync", int); count(); return real(f); }
int fdatasync(int f) { REAL(int, "fdatasync", int); count(); return real(f); }
int ftruncate(int f, off_t n) { REAL(int, "ftruncate", int, off_t); count(); return real(f, n); }
int ftruncate64(int f, off64_t n) { REAL(int, "ftruncate64", int, off64_t); count(); return real(f, n); }
int rename(const char *a, const char *b) { REAL(int, "rename", const char *, const char *); count(); return real(a, b); }
int renameat(int f, const char *a, int g, const char *b) {
    REAL(int, "renameat", int, const char *, int, const char *); count(); return real(f, a, g, b);
}
int unlink(const char *a) { REAL(int, "unlink", const char *); count(); return real(a); }
int unlinkat(int f, const char *a, int g) { REAL(int, "unlinkat", int, const char *, int); count(); return real(f, a, g); }
int rmdir(const char *a) { REAL(int, "rmdir", const char *); count(); return real(a); }
int mkdir(const char *a, mode_t m) { REAL(int, "mkdir", const char *, mode_t); count(); return real(a, m); }
int mkdirat(int f, const char *a, mode_t m) {
    REAL(int, "mkdirat", int, const char *, mode_t); count(); return real(f, a, m);
}
#define OPEN(name) \
    int name(const char *a, int g, ...) { \
        mode_t m = 0; va_list rest; va_start(rest, g); if (g & O_CREAT) m = va_arg(rest, mode_t); va_end(rest); \
        REAL(int, #name, const char *, int, ...); \
        if (g & (O_CREAT | O_TRUNC)) count(); \
        return real(a, g, m); \
    }
OPEN(open)
OPEN(open64)
