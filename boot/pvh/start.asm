; SPDX-License-Identifier: BSD-2-Clause
;
; The PVH entry: from 32-bit protected mode without paging to 64-bit C code at -2 GiB. Owns the ELF
; note that names it, the early page tables and the boot stack; start_info.c reads what the VMM left.
; The page tables are those boot_info.h promises; memory used here lies in .scratch, behind the image,
; and becomes free RAM once the kernel runs on its own.

KERNEL_PHYS     equ 0x200000            ; linker.ld, pvh_kernel_phys
TO_PHYS         equ 0x80000000 + KERNEL_PHYS ; added to an image address (mod 2^64): physical one
DIRECT_MAP_SLOT equ 256                 ; PML4 slot of 0xFFFF800000000000
IMAGE_SLOT      equ 511                 ; PML4 slot of 0xFFFFFFFF80000000, its PDPT slot is 510
BOOT_STACK_SIZE equ 16384

PTE_P           equ 0x01
PTE_W           equ 0x02
PTE_PS          equ 0x80

MSR_EFER        equ 0xC0000080
EFER_LME        equ 0x100
CR0_PG          equ 0x80000000
CR0_WP          equ 0x10000
CR4_PAE         equ 0x20
EFLAGS_ID       equ 0x200000

COM1            equ 0x3F8
DEBUGCON        equ 0xE9
DEBUG_EXIT      equ 0x501
EXIT_REFUSED    equ 2

extern image_end
extern scratch_end
extern pvh_main

; Xen's note 18: the physical entry address. Eight bytes of alignment would hide it from QEMU, which
; steps over notes in units of four.
section .note.pvh note alloc noexec align=4
        dd      4, 4, 18
        db      "Xen", 0
        dd      pvh_entry + TO_PHYS

section .scratch nobits alloc noexec write align=4096
pml4:           resb 4096
pdpt_low:       resb 4096
pdpt_image:     resb 4096
pd_image:       resb 4096
pd_low:         resb 4 * 4096
boot_stack:     resb BOOT_STACK_SIZE
boot_stack_top:
global pvh_boot_info, pvh_cmdline
pvh_boot_info:  resb 2 * 4096
pvh_cmdline:    resb 4096

section .text.pvh progbits alloc exec nowrite align=16
bits 32

; In: EBX = physical address of hvm_start_info, paging off, flat segments, no stack.
global pvh_entry
pvh_entry:
        cld
        mov     ebp, ebx
        mov     esp, boot_stack_top + TO_PHYS
        call    check_long_mode
        call    build_tables

        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        mov     eax, pml4 + TO_PHYS
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG | CR0_WP
        mov     cr0, eax
        lgdt    [gdt_pointer + TO_PHYS]
        jmp     0x08:(enter_long + TO_PHYS)

; Returns when the CPU has CPUID and long mode. Clobbers EAX, EBX, ECX, EDX, ESI.
check_long_mode:
        pushfd
        pop     eax
        mov     ecx, eax
        xor     eax, EFLAGS_ID
        push    eax
        popfd
        pushfd
        pop     eax
        cmp     eax, ecx
        je      refuse                  ; the ID bit does not change: no CPUID
        mov     eax, 0x80000000
        cpuid
        cmp     eax, 0x80000001
        jb      refuse
        mov     eax, 0x80000001
        cpuid
        test    edx, 1 << 29
        jz      refuse
        ret

; [0, 4 GiB) identically and at DIRECT_MAP_BASE, the image at its virtual address; 2 MiB pages. The
; memory is zeroed first: a VMM that skips NOBITS sections must not hurt. Clobbers EAX, ECX, EDX, EDI.
build_tables:
        mov     edi, pml4 + TO_PHYS
        mov     ecx, 8 * 4096 / 4
        xor     eax, eax
        rep stosd

        mov     eax, pdpt_low + TO_PHYS + PTE_P + PTE_W
        mov     [pml4 + TO_PHYS], eax
        mov     [pml4 + TO_PHYS + 8 * DIRECT_MAP_SLOT], eax
        mov     eax, pdpt_image + TO_PHYS + PTE_P + PTE_W
        mov     [pml4 + TO_PHYS + 8 * IMAGE_SLOT], eax
        mov     eax, pd_image + TO_PHYS + PTE_P + PTE_W
        mov     [pdpt_image + TO_PHYS + 8 * 510], eax

        xor     ecx, ecx
.pdpt:  mov     eax, ecx
        shl     eax, 12
        add     eax, pd_low + TO_PHYS + PTE_P + PTE_W
        mov     [pdpt_low + TO_PHYS + ecx * 8], eax
        inc     ecx
        cmp     ecx, 4
        jb      .pdpt

        mov     eax, PTE_P | PTE_W | PTE_PS
        xor     ecx, ecx
.low:   mov     [pd_low + TO_PHYS + ecx * 8], eax
        add     eax, 0x200000
        inc     ecx
        cmp     ecx, 4 * 512
        jb      .low

        mov     eax, KERNEL_PHYS | PTE_P | PTE_W | PTE_PS
        xor     ecx, ecx
.image: mov     [pd_image + TO_PHYS + ecx * 8], eax
        add     eax, 0x200000
        inc     ecx
        cmp     eax, scratch_end + TO_PHYS
        jb      .image
        ret

; One readable line on serial and debugcon, then the test exit; without one the CPU halts for good.
refuse:
        mov     esi, no_long_mode + TO_PHYS
.char:  lodsb
        test    al, al
        jz      .exit
        mov     bl, al
        mov     dx, DEBUGCON
        out     dx, al
        mov     ecx, 100000             ; a missing or stuck port costs a moment, not the message
.busy:  mov     dx, COM1 + 5
        in      al, dx
        test    al, 0x20
        jnz     .send
        loop    .busy
.send:  mov     al, bl
        mov     dx, COM1
        out     dx, al
        jmp     .char
.exit:  mov     eax, EXIT_REFUSED
        mov     dx, DEBUG_EXIT
        out     dx, eax
.halt:  cli
        hlt
        jmp     .halt

bits 64
enter_long:
        xor     eax, eax                ; null selectors do in 64-bit mode
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     fs, eax
        mov     gs, eax
        mov     rax, .high
        jmp     rax
.high:  mov     rsp, boot_stack_top
        mov     edi, ebp
        xor     ebp, ebp
        call    pvh_main
        ud2

section .rodata.pvh progbits alloc noexec nowrite align=8
gdt:            dq 0
                dq 0x00209A0000000000   ; 0x08: 64-bit code, ring 0
gdt_pointer:    dw 15
                dd gdt + TO_PHYS
no_long_mode:   db "aerostat: cannot start: this CPU has no 64-bit mode", 13, 10, 0
