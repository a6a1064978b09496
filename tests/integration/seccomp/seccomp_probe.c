/* Tries every system call number with arguments that can do no harm, each in a process of its own,
   and prints one letter a number: P = EPERM, N = ENOSYS, o = anything else, s = ended by a signal,
   - = not tried. Static, so that it runs in an empty root. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kCalls = 600, kDeadlineSeconds = 2 };

/* Calls that end or block the caller, or that reach beyond it with -1 (kill, setpgid...). */
static const int kNotTried[] = {
    SYS_exit,   SYS_exit_group, SYS_pause,       SYS_rt_sigreturn, SYS_clone,   SYS_rt_sigsuspend,
    SYS_close,  SYS_write,      SYS_kill,        SYS_sync,         SYS_munmap,  SYS_brk,
    SYS_mmap,   SYS_mprotect,   SYS_reboot,      SYS_wait4,        SYS_waitid,  SYS_setpgid,
    SYS_setsid, SYS_vhangup,    SYS_restart_syscall, SYS_syncfs,   SYS_seccomp, SYS_prctl,
    SYS_umask,  SYS_munlockall, SYS_pselect6,    SYS_ppoll,
#ifdef SYS_fork
    SYS_fork,   SYS_vfork,      SYS_select,      SYS_poll,         SYS_alarm,
#endif
#ifdef SYS_close_range
    SYS_close_range,
#endif
};

static int isTried(int number) {
  for (unsigned i = 0; i < sizeof kNotTried / sizeof kNotTried[0]; ++i) {
    if (kNotTried[i] == number) {
      return 0;
    }
  }
  return 1;
}

static char answerOf(int number) {
  int status = 0;
  pid_t child = fork();
  if (child < 0) {
    return '?';
  }
  if (child == 0) {
    alarm(kDeadlineSeconds);
    errno = 0;
    long result = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
    _exit(result != -1 ? 'o' : errno == EPERM ? 'P' : errno == ENOSYS ? 'N' : 'o');
  }
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    return 's';
  }
  return (char)WEXITSTATUS(status);
}

int main(void) {
  for (int number = 0; number < kCalls; ++number) {
    putchar(isTried(number) ? answerOf(number) : '-');
    fflush(stdout);
  }
  return 0;
}
