#include "tape/transpose.hpp"

TF_DEFINE_TARGETS(TransposeKernel, transpose_kernel)
