; SPDX-License-Identifier: BSD-2-Clause
;
; The PVH entry of the monitor and of its probe: from 32-bit protected mode without paging to C in 64-bit
; mode, the first 4 GiB mapped identically. QEMU has zeroed the .bss.

PTE_P           equ 0x01
PTE_W           equ 0x02
PTE_PS          equ 0x80

MSR_EFER        equ 0xC0000080
EFER_LME        equ 0x100
EFER_NXE        equ 0x800               ; lets the nested walk tell a fetch from a read
CR0_PG          equ 0x80000000
CR0_WP          equ 0x10000
CR4_PAE         equ 0x20

STACK_SIZE      equ 32768

extern image_main
global boot_pml4, boot_pd

; Xen's note 18, the physical entry. Four bytes of alignment: QEMU steps over notes in units of four.
section .note.pvh note alloc noexec align=4
        dd      4, 8, 18
        db      "Xen", 0
        dq      pvh_entry

section .bss nobits alloc noexec write align=4096
boot_pml4:      resb 4096
pdpt:           resb 4096
boot_pd:        resb 4 * 4096
stack:          resb STACK_SIZE
stack_top:

section .text.pvh progbits alloc exec nowrite align=16
bits 32

; In: EBX = physical address of hvm_start_info, paging off, flat segments, no stack.
global pvh_entry
pvh_entry:
        cld
        mov     esp, stack_top
        mov     dword [boot_pml4], pdpt + PTE_P + PTE_W
        xor     ecx, ecx
.pdpt:  mov     eax, ecx
        shl     eax, 12
        add     eax, boot_pd + PTE_P + PTE_W
        mov     [pdpt + ecx * 8], eax
        inc     ecx
        cmp     ecx, 4
        jb      .pdpt
        mov     eax, PTE_P | PTE_W | PTE_PS
        xor     ecx, ecx
.pd:    mov     [boot_pd + ecx * 8], eax
        add     eax, 0x200000
        inc     ecx
        cmp     ecx, 4 * 512
        jb      .pd

        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        mov     eax, boot_pml4
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME | EFER_NXE
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG | CR0_WP
        mov     cr0, eax
        lgdt    [boot_gdt_pointer]
        jmp     0x08:enter_long

bits 64
enter_long:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     edi, ebx
        xor     ebp, ebp
        call    image_main
        ud2

section .rodata progbits alloc noexec nowrite align=8
global boot_gdt_pointer
gdt:            dq 0
                dq 0x00209A0000000000   ; 0x08: 64-bit code
                dq 0x00CF92000000FFFF   ; 0x10: data
                dq 0x00CF9A000000FFFF   ; 0x18: 32-bit code, for the probe's way out of paging
boot_gdt_pointer:
                dw 31
                dq gdt
