#include "targets.hpp"

#include <cstring>

namespace tf {
namespace {

constexpr const char* NAMES[TARGETS] = {"baseline", "avx2", "avx512"};

Target best() {
    for (int i = TARGETS - 1; i > 0; --i) {
        if (target_supported(static_cast<Target>(i))) return static_cast<Target>(i);
    }
    return Target::BASELINE;
}

Target& chosen() {
    static Target value = best();
    return value;
}

}  // namespace

const char* target_name(Target target) { return NAMES[static_cast<int>(target)]; }

bool target_supported([[maybe_unused]] Target target) {
    if (target == Target::BASELINE) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    // everything of x86-64-v3, and of v4 below: the compiler may use any of it
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c") &&
                      __builtin_cpu_supports("fma") && __builtin_cpu_supports("lzcnt") &&
                      __builtin_cpu_supports("movbe") && __builtin_cpu_supports("popcnt");
    if (target == Target::AVX2) return avx2;
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

Target target() { return chosen(); }

bool choose_target(const char* name) {
    for (int i = 0; i < TARGETS; ++i) {
        if (std::strcmp(name, NAMES[i]) == 0) {
            if (!target_supported(static_cast<Target>(i))) return false;
            chosen() = static_cast<Target>(i);
            return true;
        }
    }
    return false;
}

}  // namespace tf
