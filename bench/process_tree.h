#pragma once

#include <set>
#include <vector>

namespace flotilla::bench {

/// `root` and everything below it now, by /proc.
std::set<int> processTree(int root);
/// Parents of the given processes, and the parents' other children (helpers of a supervisor), but
/// not the processes themselves nor anything below them.
std::set<int> supervisorsOf(const std::vector<int>& init_pids);
/// Proportional set size of all these processes together, in bytes; gone ones count nothing.
double pssBytes(const std::set<int>& pids);
/// Threads of all these processes together.
int threadCount(const std::set<int>& pids);

}  // namespace flotilla::bench
