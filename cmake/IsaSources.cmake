# The only place that knows compiler flags of instruction sets and of arithmetic.
#
#   paring_isa_source(TARGET ISA FILE)   adds FILE to TARGET with the flags of ISA, or says why it does not
#
# Each instruction set the compiler knows defines PARING_HAVE_<ISA> for the whole target, which is how tables of
# kernels know the rows that exist. Those of another architecture are left out without a word. On x86 flags are given one
# by one: -march=x86-64-v3 and the like mark the object with a level that wheel checkers refuse. On ARM they are levels of
# the architecture, which leave no such mark.

include(CheckCXXCompilerFlag)

set(PARING_FLAGS_SCALAR "")
set(PARING_FLAGS_AVX2 -mavx2 -mfma -mf16c)
set(PARING_FLAGS_AVXVNNI ${PARING_FLAGS_AVX2} -mavxvnni)
set(PARING_FLAGS_AVX512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512)
# GCC 12 takes the undefined operand inside its own intrinsics for a mistake of ours (its bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND PARING_FLAGS_AVX512 -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
set(PARING_FLAGS_AVX512VNNI ${PARING_FLAGS_AVX512} -mavx512vnni)
set(PARING_FLAGS_NEON -march=armv8-a)
set(PARING_FLAGS_NEONDOT -march=armv8.2-a+dotprod)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(PARING_NATIVE_ISAS avx2 avxvnni avx512 avx512vnni)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(PARING_NATIVE_ISAS neon neondot)
endif()

# Same arithmetic everywhere: no contraction, no reassociation. The two -fno flags change no result; they let the
# compiler vectorize comparisons and rounding.
set(PARING_KERNEL_FLAGS -O3 -fno-lto -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-exceptions)
if(PARING_SANITIZE)
  list(APPEND PARING_KERNEL_FLAGS -O1)  # instrumented code at -O3 takes minutes to compile
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Partial redundancy elimination makes gcc 12 carry two copies of every accumulator through a loop, and spill.
  list(APPEND PARING_KERNEL_FLAGS -fno-tree-pre)
endif()

# All other files: where the baseline has fused multiply-adds, as on ARM, compilers would make them of their own accord.
set(PARING_CORE_FLAGS -ffp-contract=off)

function(paring_isa_source target isa file)
  string(TOUPPER ${isa} ISA)
  if(PARING_ISAS AND NOT isa IN_LIST PARING_ISAS AND NOT isa STREQUAL "scalar")
    return()
  endif()
  if(NOT isa STREQUAL "scalar")
    if(NOT isa IN_LIST PARING_NATIVE_ISAS)
      return()
    endif()
    string(REPLACE ";" " " joined "${PARING_FLAGS_${ISA}}")
    set(CMAKE_REQUIRED_QUIET ON)
    check_cxx_compiler_flag("${joined}" PARING_COMPILER_KNOWS_${ISA})
    if(NOT PARING_COMPILER_KNOWS_${ISA})
      message(STATUS "paring: this compiler does not know ${joined}; left out: ${file}")
      return()
    endif()
  endif()
  target_sources(${target} PRIVATE ${file})
  set_property(SOURCE ${file} APPEND PROPERTY COMPILE_OPTIONS ${PARING_KERNEL_FLAGS} ${PARING_FLAGS_${ISA}})
  get_target_property(definitions ${target} COMPILE_DEFINITIONS)
  if(NOT "PARING_HAVE_${ISA}=1" IN_LIST definitions)
    target_compile_definitions(${target} PRIVATE PARING_HAVE_${ISA}=1)
  endif()
endfunction()
