// What every compiled module does first: force the CPU target that TICKFORGE_CPU names.
#pragma once
#include <cstdlib>
#include <string>

#include "targets.hpp"

namespace tf {

// Empty when all is well, else the text for the ImportError.
inline std::string target_from_environment() {
    const char* wanted = std::getenv("TICKFORGE_CPU");
    if (wanted == nullptr || *wanted == '\0' || choose_target(wanted)) return {};
    std::string message = std::string("TICKFORGE_CPU is ") + wanted + "; this CPU and build support";
    for (int i = 0; i < TARGETS; ++i) {
        if (target_supported(static_cast<Target>(i))) message += std::string(" ") + target_name(static_cast<Target>(i));
    }
    return message;
}

}  // namespace tf
