// CPU targets: *.simd.cpp files are compiled once for each, one is chosen at import.
#pragma once

namespace tf {

enum class Target : int { BASELINE = 0, AVX2 = 1, AVX512 = 2 };
inline constexpr int TARGETS = 3;

const char* target_name(Target target);

// Whether this build has the target and this CPU can run it.
bool target_supported(Target target);

// The target in use: the best supported one, or the one `choose_target` set.
Target target();

// Forces the target named (baseline, avx2, avx512) for every later lookup of a kernel table.
// False, and nothing changes, if the name is unknown or the CPU lacks it.
bool choose_target(const char* name);

}  // namespace tf

// Declares `const TABLE& name()` in each target's namespace, defined by the *.simd.cpp file, and
// `const TABLE& name()` in tf, which picks; put the definition of the latter in one ordinary .cpp file.
#if defined(__x86_64__)
#define TF_DECLARE_TARGETS(TABLE, name) \
    namespace tf {                      \
    namespace baseline {                \
    extern const TABLE name;            \
    }                                   \
    namespace avx2 {                    \
    extern const TABLE name;            \
    }                                   \
    namespace avx512 {                  \
    extern const TABLE name;            \
    }                                   \
    const TABLE& name();                \
    }
#define TF_DEFINE_TARGETS(TABLE, name)                                                \
    const tf::TABLE& tf::name() {                                                     \
        const TABLE* tables[TARGETS] = {&baseline::name, &avx2::name, &avx512::name}; \
        return *tables[static_cast<int>(target())];                                   \
    }
#else
#define TF_DECLARE_TARGETS(TABLE, name) \
    namespace tf {                      \
    namespace baseline {                \
    extern const TABLE name;            \
    }                                   \
    const TABLE& name();                \
    }
#define TF_DEFINE_TARGETS(TABLE, name) \
    const tf::TABLE& tf::name() { return baseline::name; }
#endif
