// Elementary functions over F32 (base/simd): our own polynomials, so every instruction set gives the same bytes.
// The constants come from tools/fit_polynomials.py. NaN stays NaN in all of them.

namespace {

// Evaluates c[0] + c[1] x + ... by Horner's rule, one fused multiply-add a term.
template <std::size_t kTerms>
inline F32::Vec polynomial(const float (&c)[kTerms], F32::Vec x) {
  F32::Vec sum = F32::set(c[kTerms - 1]);
  for (std::size_t i = kTerms - 1; i-- > 0;) sum = F32::fma(sum, x, F32::set(c[i]));
  return sum;
}

// exp(x) for x clamped to [-87, 88]: within 2 ulp, never denormal, never infinite.
inline F32::Vec exp_clamped(F32::Vec x) {
  // largest relative error of the polynomial on |r| <= ln(2) / 2: 1.9e-09
  constexpr float kExp[] = {1.0f, 1.0f, 0.4999999f, 0.1666642f, 0.041668233f, 0.008374899f, 0.001383674f};
  x = F32::min(F32::set(88.0f), F32::max(F32::set(-87.0f), x));
  const F32::Vec n = F32::round(F32::mul(x, F32::set(1.44269504f)));
  // ln(2) in two parts, the first with enough trailing zeros that n * part is exact.
  F32::Vec r = F32::fma(n, F32::set(-0.693359375f), x);
  r = F32::fma(n, F32::set(2.12194440e-4f), r);
  return F32::mul(polynomial(kExp, r), F32::power_of_two(n));
}

// x / (1 + exp(-x)). Below -100 the result is that of -100 (under 1e-36 in magnitude).
inline F32::Vec silu(F32::Vec x) {
  x = F32::max(F32::set(-100.0f), x);
  const F32::Vec one = F32::set(1.0f);
  return F32::div(x, F32::add(one, exp_clamped(F32::sub(F32::set(0.0f), x))));
}

// x * Phi(x), the exact (erf) form. Phi's tail is exp(-z*z/2) * P(t) with z = |x|, t = 1 / (1 + z/4): accurate in
// relative terms far into the negative side, where 1 + erf(x) would cancel.
inline F32::Vec gelu(F32::Vec x) {
  // largest relative error of the polynomial on 0 <= z <= 14: 1.4e-08
  constexpr float kTail[] = {-2.160015e-05f, 0.100229f,   0.09482024f, 0.121568f,    -0.020384263f,
                             0.30448732f,    -0.3334698f, 0.3950019f,  -0.19617754f, 0.033946764f};
  x = F32::max(F32::set(-100.0f), x);
  const F32::Vec z = F32::abs(x), one = F32::set(1.0f);
  const F32::Vec t = F32::div(one, F32::fma(z, F32::set(0.25f), one));
  // -80 keeps the product with P(t) a normal number.
  const F32::Vec square = F32::max(F32::set(-80.0f), F32::mul(F32::mul(z, z), F32::set(-0.5f)));
  const F32::Vec tail = F32::mul(exp_clamped(square), F32::max(F32::set(1e-3f), polynomial(kTail, t)));
  return F32::mul(x, F32::if_negative(x, tail, F32::sub(one, tail)));
}

// max(x, 0), NaN kept.
inline F32::Vec relu(F32::Vec x) { return F32::if_negative(x, F32::set(0.0f), x); }

}  // namespace
