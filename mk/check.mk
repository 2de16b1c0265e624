# SPDX-License-Identifier: BSD-2-Clause
# check, check-quick and their rings; setup; run; bench.
