/*
 * A power cut for one process, and its failing disk.
 *
 * Loaded with LD_PRELOAD into a child, this library journals what the child does to the files below
 * one folder: each write with the bytes that it replaces, each truncation, each change of a directory,
 * each sync. After the child was killed, `rewind.rs` reads the journal and rebuilds the folder as a disk
 * might hold it if the power had failed at that moment.
 *
 * It also makes the k-th write, sync or rename fail, as the control file says.
 *
 * Rules that the journal keeps, all under one lock, so that its order is the order of the operations:
 *   - A write or truncation is journalled BEFORE it happens (killed in between: undoing it changes nothing).
 *   - A change of a directory is journalled AFTER it happened (killed in between: it counts as lost).
 *   - A sync is journalled after it succeeded, with the journal's place at the time it began.
 *   - A file that loses a name first gets another one in the stash, so that its bytes can be brought back and its
 *     inode number names it for the whole run. A directory that is removed stays open for the latter reason: else a new file may
 *     get its number, and is then taken for a directory.
 *
 * Not journalled: bytes written through stdio (RocksDB's text log only). A shared writable mapping ends the
 * process loudly, as it could not be followed.
 *
 * Who makes system calls without the C library (as some Rust crates do) is not seen by its functions here. The
 * calls that change names and sizes, and the syncs, are therefore trapped by a filter, wherever they come from, and
 * end in the same functions. Writes are not, as every byte sent to a socket would be. The filter outlives exec(): a
 * process that starts others which change files cannot be followed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

enum kind { WRITE = 1, TRUNCATE, FAILED, SYNC, SYNC_ALL, CREATE, UNLINK, RENAME, MKDIR, RMDIR, LINK };
enum class { CLASS_WRITE, CLASS_SYNC, CLASS_RENAME, CLASS_COUNT };

/* One journal record: this head, then `len_a` bytes, then `len_b` bytes. Little endian, as the machine is. */
struct record {
    uint32_t magic;
    uint32_t kind;
    uint64_t file;   /* inode of the file or, for SYNC of a directory, of the directory */
    uint64_t dir;    /* inode of the directory of a name */
    uint64_t dir_to; /* RENAME: inode of the directory of the new name */
    uint64_t offset; /* WRITE: where; TRUNCATE: new size; SYNC: journal place when it began; FAILED: bytes done */
    uint64_t size;   /* WRITE, TRUNCATE: size of the file before */
    uint32_t len_a;  /* WRITE: new bytes; else the name */
    uint32_t len_b;  /* WRITE, TRUNCATE: old bytes; RENAME: the new name */
};
#define MAGIC 0x504c4a31u

/* Shared with the parent, which writes it before the start and may change it while the child runs. */
struct control {
    uint64_t seen[CLASS_COUNT]; /* operations so far, by class */
    uint64_t fail_class;        /* class to fail, CLASS_COUNT = none */
    uint64_t fail_from;         /* first operation that fails (from 1) */
    uint64_t fail_times;        /* how many fail from there on */
    uint64_t fail_errno;        /* 0: the process is killed there */
    uint64_t fail_partial;      /* not 0: a failing write first writes half */
    uint64_t fired;             /* how many failed so far */
    char fail_name[64];         /* only files whose path contains this; empty = all */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char watch[PATH_MAX], stash[PATH_MAX];
static size_t watch_len;
static int journal = -1;
static uint64_t place;
static struct control *control;

/*
 * All system calls of this library are made by one instruction, the one before `after_call`: the filter lets it through.
 * What differs between processors is here: that instruction, and where a trapped call has its parts.
 */
extern const char after_call[] __attribute__((visibility("hidden")));
__attribute__((noinline, noclone)) static long kernel(long nr, long a, long b, long c, long d, long e, long f) {
#if defined __x86_64__
#define ARGUMENT(context, i) \
    ((context)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9}[i]])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
    long result;
    register long d_ __asm__("r10") = d, e_ __asm__("r8") = e, f_ __asm__("r9") = f;
    __asm__ volatile("syscall\n.hidden after_call\n.globl after_call\nafter_call:"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(d_), "r"(e_), "r"(f_)
                     : "rcx", "r11", "memory");
#elif defined __aarch64__
#define ARGUMENT(context, i) ((context)->uc_mcontext.regs[i])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
    register long nr_ __asm__("x8") = nr, result __asm__("x0") = a, b_ __asm__("x1") = b, c_ __asm__("x2") = c,
                  d_ __asm__("x3") = d, e_ __asm__("x4") = e, f_ __asm__("x5") = f;
    __asm__ volatile("svc 0\n.hidden after_call\n.globl after_call\nafter_call:"
                     : "+r"(result)
                     : "r"(nr_), "r"(b_), "r"(c_), "r"(d_), "r"(e_), "r"(f_)
                     : "memory");
#else
#error "a processor whose system calls this library does not know"
#endif
    if (result < 0 && result > -4096) return errno = -result, -1;
    return result;
}
#define CALL(...) CALL_WITH(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define CALL_WITH(nr, a, b, c, d, e, f, ...) \
    kernel(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) {
    void *f = dlsym(RTLD_NEXT, name);
    if (!f) abort();
    return f;
}

static void die(const char *why) {
    dprintf(2, "powerloss preload: %s (errno %d)\n", why, errno);
    _exit(99);
}

static void trap(void);

__attribute__((constructor)) static void start(void) {
    const char *w = getenv("POWERLOSS_WATCH"), *d = getenv("POWERLOSS_DIR");
    if (!w || !d) return;
    if (!realpath(w, watch)) die("no folder to watch");
    char path[PATH_MAX];
    snprintf(stash, sizeof stash, "%s/stash", d);
    snprintf(path, sizeof path, "%s/control", d);
    int fd = CALL(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) die("no control file");
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED) die("cannot map the control file");
    snprintf(path, sizeof path, "%s/journal", d);
    journal = CALL(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) die("cannot open the journal");
    watch_len = strlen(watch); /* last: from now on the folder is watched */
    trap();
}

static int below(const char *path) {
    return watch_len && !strncmp(path, watch, watch_len) && (path[watch_len] == '/' || !path[watch_len]);
}

/* The absolute path of (dirfd, path); 0 when it is not below the folder. The last component need not exist. */
static int resolve(int dirfd, const char *path, char *out) {
    char joined[PATH_MAX], parent[PATH_MAX];
    if (!watch_len) return 0;
    if (path[0] == '/' || dirfd == AT_FDCWD) {
        snprintf(joined, sizeof joined, "%s", path);
    } else {
        char link[64], dir[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
        ssize_t n = readlink(link, dir, sizeof dir - 1);
        if (n < 0) return 0;
        dir[n] = 0;
        if ((size_t)snprintf(joined, sizeof joined, "%s/%s", dir, path) >= sizeof joined) return 0;
    }
    size_t n = strlen(joined);
    while (n > 1 && joined[n - 1] == '/') joined[--n] = 0;
    char *slash = strrchr(joined, '/');
    const char *name = slash ? slash + 1 : joined;
    char last[NAME_MAX + 1];
    if (strlen(name) >= sizeof last) return 0;
    strcpy(last, name);
    if (slash == joined) slash[1] = 0;
    else if (slash) *slash = 0;
    if (!realpath(slash ? joined : ".", parent)) return 0;
    if ((size_t)snprintf(out, PATH_MAX, "%s/%s", parent, last) >= PATH_MAX) return 0;
    return below(out);
}

static int resolve_fd(int fd, char *out) {
    if (!watch_len) return 0;
    int keep = errno;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    errno = keep;
    if (n < 0) return 0;
    out[n] = 0;
    return below(out);
}

static uint64_t inode(const char *path) {
    struct stat st;
    return fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_ino;
}

static uint64_t parent_inode(const char *path) {
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = 0;
    return inode(dir);
}

static const char *base(const char *path) { return strrchr(path, '/') + 1; }

static void append(struct record *r, const void *a, const void *b) {
    struct iovec v[3] = {{r, sizeof *r}, {(void *)a, r->len_a}, {(void *)b, r->len_b}};
    size_t want = sizeof *r + r->len_a + r->len_b;
    r->magic = MAGIC;
    if (CALL(SYS_writev, journal, v, 3) != (long)want) die("cannot write the journal");
    place += want;
}

/* The file is about to lose a name. */
static void keep_in_stash(const char *path) {
    char to[PATH_MAX + 32];
    uint64_t n = inode(path);
    if (!n) return;
    snprintf(to, sizeof to, "%s/%lu", stash, (unsigned long)n);
    if (CALL(SYS_linkat, AT_FDCWD, path, AT_FDCWD, to, 0) && errno != EEXIST) die("cannot stash");
}

/* Does this operation have to fail, or the process to end here? Sets errno. Under the lock. */
static int must_fail(enum class class, const char *path) {
    if (control->fail_name[0] && !strstr(path, control->fail_name)) return 0;
    uint64_t n = ++control->seen[class];
    if (control->fail_class != (uint64_t)class || n < control->fail_from) return 0;
    if (n - control->fail_from >= control->fail_times) return 0;
    control->fired++;
    if (!control->fail_errno) kill(getpid(), SIGKILL);
    errno = (int)control->fail_errno;
    return 1;
}

/* ---- writes ---- */

/* All writes end here. `at` < 0: at the descriptor's offset. Called only for watched files. */
static ssize_t journalled_write(int fd, const char *path, const struct iovec *v, int n, off_t at) {
    size_t len = 0;
    struct stat st;
    for (int i = 0; i < n; i++) len += v[i].iov_len;
    pthread_mutex_lock(&lock);
    int flags = fcntl(fd, F_GETFL);
    if (fstat(fd, &st)) die("fstat");
    off_t offset = flags & O_APPEND ? st.st_size : at >= 0 ? at : lseek(fd, 0, SEEK_CUR);
    ssize_t done = -1;
    int fail = must_fail(CLASS_WRITE, path), error = errno;
    size_t todo = !fail ? len : control->fail_partial ? len / 2 : 0;
    if (todo) {
        char *bytes = malloc(len), *old = malloc(len), *p = bytes;
        if (!bytes || !old) die("memory");
        for (int i = 0; i < n; p += v[i].iov_len, i++) memcpy(p, v[i].iov_base, v[i].iov_len);
        char own[64];
        snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
        ssize_t had = 0;
        if (offset < st.st_size) { /* the descriptor may be write-only */
            int r = CALL(SYS_openat, AT_FDCWD, own, O_RDONLY | O_CLOEXEC);
            if (r < 0 || (had = CALL(SYS_pread64, r, old, todo, offset)) < 0) die("old bytes");
            CALL(SYS_close, r);
        }
        struct record r = {.kind = WRITE, .file = st.st_ino, .offset = offset, .size = st.st_size,
                           .len_a = todo, .len_b = had};
        append(&r, bytes, old);
        done = at >= 0 ? CALL(SYS_pwrite64, fd, bytes, todo, at) : CALL(SYS_write, fd, bytes, todo);
        if (!fail) error = errno;
        if (done != (ssize_t)todo) {
            struct record f = {.kind = FAILED, .file = st.st_ino, .offset = done < 0 ? 0 : done};
            append(&f, NULL, NULL);
        } else if (flags & O_DSYNC) {
            struct record s = {.kind = SYNC, .file = st.st_ino, .offset = place};
            append(&s, NULL, NULL);
        }
        free(bytes);
        free(old);
    } else if (!fail) {
        done = 0;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fail ? -1 : done;
}

ssize_t write(int fd, const void *buf, size_t len) {
    char path[PATH_MAX];
    if (!resolve_fd(fd, path)) return REAL(write)(fd, buf, len);
    struct iovec v = {(void *)buf, len};
    return journalled_write(fd, path, &v, 1, -1);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at) {
    char path[PATH_MAX];
    if (!resolve_fd(fd, path)) return REAL(pwrite)(fd, buf, len, at);
    struct iovec v = {(void *)buf, len};
    return journalled_write(fd, path, &v, 1, at);
}
ssize_t pwrite64(int fd, const void *buf, size_t len, off_t at) { return pwrite(fd, buf, len, at); }

ssize_t writev(int fd, const struct iovec *v, int n) {
    char path[PATH_MAX];
    return resolve_fd(fd, path) ? journalled_write(fd, path, v, n, -1) : REAL(writev)(fd, v, n);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) {
    char path[PATH_MAX];
    return resolve_fd(fd, path) ? journalled_write(fd, path, v, n, at) : REAL(pwritev)(fd, v, n, at);
}
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at) { return pwritev(fd, v, n, at); }

/* Copies inside the kernel: refused, so that the caller falls back to reading and writing. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags) {
    char path[PATH_MAX];
    if (resolve_fd(out, path)) return errno = EXDEV, -1;
    return CALL(SYS_copy_file_range, in, in_at, out, out_at, len, flags);
}
ssize_t sendfile64(int out, int in, off64_t *at, size_t len) {
    char path[PATH_MAX];
    ssize_t (*f)(int, int, off64_t *, size_t) = real("sendfile64");
    if (resolve_fd(out, path)) return errno = EINVAL, -1;
    return f(out, in, at, len);
}
ssize_t sendfile(int out, int in, off_t *at, size_t len) { return sendfile64(out, in, at, len); }

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t at) {
    char path[PATH_MAX];
    if (fd >= 0 && (flags & MAP_SHARED) && (prot & PROT_WRITE) && resolve_fd(fd, path)) die("shared writable mapping");
    return (void *)CALL(SYS_mmap, addr, len, prot, flags, fd, at);
}
void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t at) {
    return mmap(addr, len, prot, flags, fd, at);
}

/* ---- sizes ---- */

static void journal_truncate(int fd, const struct stat *st, off_t size) {
    size_t cut = st->st_size > size ? st->st_size - size : 0;
    char *old = malloc(cut ? cut : 1), own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    if (cut) {
        int r = CALL(SYS_openat, AT_FDCWD, own, O_RDONLY | O_CLOEXEC);
        if (!old || r < 0 || CALL(SYS_pread64, r, old, cut, size) != (long)cut) die("old bytes");
        CALL(SYS_close, r);
    }
    struct record r = {.kind = TRUNCATE, .file = st->st_ino, .offset = size, .size = st->st_size, .len_b = cut};
    append(&r, NULL, old);
    free(old);
}

int ftruncate(int fd, off_t size) {
    char path[PATH_MAX];
    struct stat st;
    if (!resolve_fd(fd, path)) return CALL(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    if (fstat(fd, &st)) die("fstat");
    journal_truncate(fd, &st, size);
    int r = CALL(SYS_ftruncate, fd, size), error = errno;
    if (r) {
        struct record f = {.kind = FAILED, .file = st.st_ino};
        append(&f, NULL, NULL);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int truncate(const char *p, off_t size) {
    int fd = open(p, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int r = ftruncate(fd, size), error = errno;
    close(fd);
    errno = error;
    return r;
}
int truncate64(const char *p, off_t size) { return truncate(p, size); }

int fallocate(int fd, int mode, off_t at, off_t len) {
    char path[PATH_MAX];
    if (!resolve_fd(fd, path)) return CALL(SYS_fallocate, fd, mode, at, len);
    pthread_mutex_lock(&lock);
    struct stat st;
    if (fstat(fd, &st)) die("fstat");
    /* Space kept or given back beyond the end changes nothing that can be read. */
    int beyond = (mode & FALLOC_FL_KEEP_SIZE) && (!(mode & FALLOC_FL_PUNCH_HOLE) || at >= st.st_size);
    if (!beyond && mode) die("fallocate that this library cannot follow");
    if (!beyond && at + len > st.st_size) journal_truncate(fd, &st, at + len);
    int r = CALL(SYS_fallocate, fd, mode, at, len), error = errno;
    if (r && !beyond) {
        struct record f = {.kind = FAILED, .file = st.st_ino};
        append(&f, NULL, NULL);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int fallocate64(int fd, int mode, off_t at, off_t len) { return fallocate(fd, mode, at, len); }
int posix_fallocate(int fd, off_t at, off_t len) { return fallocate(fd, 0, at, len) ? errno : 0; }
int posix_fallocate64(int fd, off_t at, off_t len) { return posix_fallocate(fd, at, len); }

/* ---- syncs ---- */

static int journalled_sync(int fd, const char *path, long call) {
    struct stat st;
    pthread_mutex_lock(&lock);
    int fail = must_fail(CLASS_SYNC, path), error = errno;
    uint64_t began = place;
    pthread_mutex_unlock(&lock); /* others write on while the disk works */
    if (fail) return errno = error, -1;
    int r = CALL(call, fd);
    if (r) return r;
    if (fstat(fd, &st)) die("fstat");
    pthread_mutex_lock(&lock);
    struct record s = {.kind = SYNC, .file = st.st_ino, .offset = began};
    append(&s, NULL, NULL);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) {
    char path[PATH_MAX];
    return resolve_fd(fd, path) ? journalled_sync(fd, path, SYS_fsync) : CALL(SYS_fsync, fd);
}
int fdatasync(int fd) {
    char path[PATH_MAX];
    return resolve_fd(fd, path) ? journalled_sync(fd, path, SYS_fdatasync) : CALL(SYS_fdatasync, fd);
}
static int journalled_sync_all(long call, int fd) {
    pthread_mutex_lock(&lock);
    uint64_t began = place;
    pthread_mutex_unlock(&lock);
    int r = CALL(call, fd);
    if (r || !watch_len) return r;
    pthread_mutex_lock(&lock);
    struct record s = {.kind = SYNC_ALL, .offset = began};
    append(&s, NULL, NULL);
    pthread_mutex_unlock(&lock);
    return 0;
}
void sync(void) { journalled_sync_all(SYS_sync, 0); }
int syncfs(int fd) { return journalled_sync_all(SYS_syncfs, fd); }
/* sync_file_range promises nothing after a power cut: it is let through and not journalled. */

/* ---- names ---- */

static void journal_name(enum kind kind, uint64_t file, const char *path) {
    struct record r = {.kind = kind, .file = file, .dir = parent_inode(path), .len_a = strlen(base(path))};
    append(&r, base(path), NULL);
}

static int journalled_open(int dirfd, const char *p, int flags, mode_t mode) {
    char path[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !resolve(dirfd, p, path))
        return CALL(SYS_openat, dirfd, p, flags, mode);
    pthread_mutex_lock(&lock);
    uint64_t had = inode(path);
    int fd = CALL(SYS_openat, dirfd, p, flags & ~O_TRUNC, mode), error = errno;
    struct stat st;
    if (fd >= 0) {
        if (fstat(fd, &st)) die("fstat");
        if (!had) journal_name(CREATE, st.st_ino, path);
        if (flags & O_TRUNC && st.st_size) {
            journal_truncate(fd, &st, 0);
            if (CALL(SYS_ftruncate, fd, 0)) die("truncate at open");
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define MODE(flags, mode)                                                 \
    mode_t mode = 0;                                                      \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                \
        va_list list;                                                     \
        va_start(list, flags);                                            \
        mode = va_arg(list, mode_t);                                      \
        va_end(list);                                                     \
    }
int open(const char *p, int flags, ...) { MODE(flags, mode) return journalled_open(AT_FDCWD, p, flags, mode); }
int open64(const char *p, int flags, ...) { MODE(flags, mode) return journalled_open(AT_FDCWD, p, flags, mode); }
int openat(int d, const char *p, int flags, ...) { MODE(flags, mode) return journalled_open(d, p, flags, mode); }
int openat64(int d, const char *p, int flags, ...) { MODE(flags, mode) return journalled_open(d, p, flags, mode); }
int creat(const char *p, mode_t mode) { return journalled_open(AT_FDCWD, p, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *p, mode_t mode) { return creat(p, mode); }

static FILE *stream(const char *p, const char *how, const char *name) {
    FILE *(*f)(const char *, const char *) = real(name);
    char path[PATH_MAX];
    if (how[0] == 'r' || !resolve(AT_FDCWD, p, path)) return f(p, how);
    pthread_mutex_lock(&lock);
    uint64_t had = inode(path);
    FILE *file = f(p, how);
    if (file && !had) journal_name(CREATE, inode(path), path);
    pthread_mutex_unlock(&lock);
    return file;
}
FILE *fopen(const char *p, const char *how) { return stream(p, how, "fopen"); }
FILE *fopen64(const char *p, const char *how) { return stream(p, how, "fopen64"); }

static int journalled_rename(int from_dir, const char *f, int to_dir, const char *t, unsigned flags) {
    char from[PATH_MAX], to[PATH_MAX];
    int a = resolve(from_dir, f, from), b = resolve(to_dir, t, to);
    if (!a && !b) return CALL(SYS_renameat2, from_dir, f, to_dir, t, flags);
    if (!a || !b || flags & RENAME_EXCHANGE) die("rename across the edge of the watched folder");
    pthread_mutex_lock(&lock);
    int r = -1, error = 0;
    if (must_fail(CLASS_RENAME, to)) {
        error = errno;
    } else {
        struct stat st;
        if (!fstatat(AT_FDCWD, to, &st, AT_SYMLINK_NOFOLLOW) && !S_ISDIR(st.st_mode)) keep_in_stash(to);
        uint64_t file = inode(from);
        r = CALL(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
        error = errno;
        if (!r) {
            struct record n = {.kind = RENAME, .file = file, .dir = parent_inode(from), .dir_to = parent_inode(to),
                               .len_a = strlen(base(from)), .len_b = strlen(base(to))};
            append(&n, base(from), base(to));
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int rename(const char *f, const char *t) { return journalled_rename(AT_FDCWD, f, AT_FDCWD, t, 0); }
int renameat(int d, const char *f, int e, const char *t) { return journalled_rename(d, f, e, t, 0); }
int renameat2(int d, const char *f, int e, const char *t, unsigned x) { return journalled_rename(d, f, e, t, x); }

int unlinkat(int dirfd, const char *p, int flags) {
    char path[PATH_MAX];
    if (!resolve(dirfd, p, path)) return CALL(SYS_unlinkat, dirfd, p, flags);
    pthread_mutex_lock(&lock);
    uint64_t file = inode(path), dir = parent_inode(path);
    if (!(flags & AT_REMOVEDIR)) keep_in_stash(path);
    /* It is never closed. */
    else if (CALL(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC) < 0 && errno != ENOENT) die("cannot keep a directory");
    int r = CALL(SYS_unlinkat, AT_FDCWD, path, flags), error = errno;
    if (!r) {
        struct record n = {.kind = flags & AT_REMOVEDIR ? RMDIR : UNLINK, .file = file, .dir = dir,
                           .len_a = strlen(base(path))};
        append(&n, base(path), NULL);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int unlink(const char *p) { return unlinkat(AT_FDCWD, p, 0); }
int rmdir(const char *p) { return unlinkat(AT_FDCWD, p, AT_REMOVEDIR); }
int remove(const char *p) {
    int r = unlink(p);
    return r && errno == EISDIR ? rmdir(p) : r;
}

int linkat(int d, const char *f, int e, const char *t, int flags) {
    char to[PATH_MAX];
    if (!resolve(e, t, to)) return CALL(SYS_linkat, d, f, e, t, flags);
    pthread_mutex_lock(&lock);
    int r = CALL(SYS_linkat, d, f, e, t, flags), error = errno;
    if (!r) journal_name(LINK, inode(to), to);
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int link(const char *f, const char *t) { return linkat(AT_FDCWD, f, AT_FDCWD, t, 0); }

int mkdirat(int d, const char *p, mode_t mode) {
    char path[PATH_MAX];
    if (!resolve(d, p, path)) return CALL(SYS_mkdirat, d, p, mode);
    pthread_mutex_lock(&lock);
    int r = CALL(SYS_mkdirat, d, p, mode), error = errno;
    if (!r) journal_name(MKDIR, inode(path), path);
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int mkdir(const char *p, mode_t mode) { return mkdirat(AT_FDCWD, p, mode); }

/* ---- who does not ask the C library ---- */

/* The system calls that are trapped, and what they end in. Newer processors do not have all. */
static long follow(int nr, const long *a) {
    switch (nr) {
#ifdef SYS_rename
    case SYS_rename: return rename((char *)a[0], (char *)a[1]);
    case SYS_unlink: return unlink((char *)a[0]);
    case SYS_rmdir: return rmdir((char *)a[0]);
    case SYS_link: return link((char *)a[0], (char *)a[1]);
    case SYS_mkdir: return mkdir((char *)a[0], a[1]);
#endif
#ifdef SYS_renameat
    case SYS_renameat: return renameat(a[0], (char *)a[1], a[2], (char *)a[3]);
#endif
    case SYS_renameat2: return renameat2(a[0], (char *)a[1], a[2], (char *)a[3], a[4]);
    case SYS_unlinkat: return unlinkat(a[0], (char *)a[1], a[2]);
    case SYS_linkat: return linkat(a[0], (char *)a[1], a[2], (char *)a[3], a[4]);
    case SYS_mkdirat: return mkdirat(a[0], (char *)a[1], a[2]);
    case SYS_truncate: return truncate((char *)a[0], a[1]);
    case SYS_ftruncate: return ftruncate(a[0], a[1]);
    case SYS_fallocate: return fallocate(a[0], a[1], a[2], a[3]);
    case SYS_copy_file_range:
        return copy_file_range(a[0], (off64_t *)a[1], a[2], (off64_t *)a[3], a[4], a[5]);
    case SYS_fsync: return fsync(a[0]);
    case SYS_fdatasync: return fdatasync(a[0]);
    case SYS_sync: return sync(), 0;
    case SYS_syncfs: return syncfs(a[0]);
    }
    die("a system call was trapped that nobody follows");
    return -1;
}

static const int trapped[] = {
#ifdef SYS_rename
    SYS_rename, SYS_unlink, SYS_rmdir, SYS_link, SYS_mkdir,
#endif
#ifdef SYS_renameat
    SYS_renameat,
#endif
    SYS_renameat2, SYS_unlinkat, SYS_linkat, SYS_mkdirat, SYS_truncate, SYS_ftruncate, SYS_fallocate,
    SYS_copy_file_range, SYS_fsync, SYS_fdatasync, SYS_sync, SYS_syncfs,
};
#define TRAPPED (sizeof trapped / sizeof *trapped)

static void on_trap(int signal, siginfo_t *info, void *at) {
    (void)signal;
    ucontext_t *context = at;
    long arguments[6];
    int keep = errno;
    for (int i = 0; i < 6; i++) arguments[i] = ARGUMENT(context, i);
    long result = follow(info->si_syscall, arguments);
    RESULT(context) = result == -1 ? -errno : result;
    errno = keep;
}

static void trap(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    if (sigaction(SIGSYS, &action, NULL)) die("no handler of traps");
    uint64_t own = (uint64_t)after_call;
    struct sock_filter filter[TRAPPED + 7], *next = filter;
    size_t pointer = offsetof(struct seccomp_data, instruction_pointer);
    *next++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, pointer);
    *next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)own, 0, 2);
    *next++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, pointer + 4);
    *next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own >> 32, TRAPPED + 1, 0);
    *next++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < TRAPPED; i++)
        *next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, trapped[i], TRAPPED - i, 0);
    *next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    *next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {next - filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no filter");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) die("no filter");
}
