# SPDX-License-Identifier: BSD-2-Clause
"""The modules of tools/aerostat. Standard library only; matplotlib for pictures."""
