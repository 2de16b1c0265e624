# SPDX-License-Identifier: BSD-2-Clause
# The EFI loader and the disk images.
