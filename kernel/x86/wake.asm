; SPDX-License-Identifier: BSD-2-Clause
;
; The waking vector: from real mode to the C code that went to sleep. wake.c copies the stub to the start of
; a page below 1 MiB and fills struct wake_data behind it; the page is mapped identically and can be
; executed. wake_cpu_sleep() is where all of it begins and ends.
;
; The page begins with a place to stand still: SeaBIOS starts further CPUs at 0x10000, where its own code is for a
; moment only. On a busy host they come later and run whatever is there.

DATA            equ 0x200               ; offset of struct wake_data in the page; wake.c asserts the others
GDTR            equ DATA + 2
TO_PROTECTED    equ DATA + 8
TO_LONG         equ DATA + 16
VECTOR          equ 0x10                ; offset of the waking vector; wake.c has it too
PAGE_ADDRESS    equ DATA + 56
CR0_VALUE       equ DATA + 60
CR3_VALUE       equ DATA + 64
CR4_VALUE       equ DATA + 68
EFER_VALUE      equ DATA + 72
RESUME_RSP      equ DATA + 80
RESUME_RIP      equ DATA + 88
COPY_COUNT      equ DATA + 96
COPIES          equ DATA + 104

CR0_PE          equ 1
FLAT_DATA       equ 0x10                ; in wake_data's GDT
MSR_EFER        equ 0xC0000080
WORDS_PER_FRAME equ 1024

section .rodata.wake progbits alloc noexec nowrite align=16
global wake_stub, wake_stub_protected, wake_stub_long, wake_stub_end

; A CPU too many: real mode, CS = page >> 4, IP = 0.
bits 16
wake_stub:
        cli
        hlt
        jmp     wake_stub
        times VECTOR - ($ - wake_stub) db 0xF4

; In: real mode, CS = (page + VECTOR) >> 4, IP = 0; nothing else is certain.
        cli
        cld
        mov     ax, cs
        sub     ax, VECTOR >> 4
        mov     ds, ax
        mov     ebx, [PAGE_ADDRESS]
        o32 lgdt [GDTR]
        mov     eax, cr0
        or      al, CR0_PE
        mov     cr0, eax
        jmp far dword [TO_PROTECTED]

; EBX = the page. Brings back what was copied, frame by frame, then all control registers.
bits 32
wake_stub_protected:
        mov     eax, FLAT_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     edx, [ebx + COPY_COUNT]
        lea     ebp, [ebx + COPIES]
.frame: mov     edi, [ebp]
        mov     esi, [ebp + 4]
        mov     ecx, WORDS_PER_FRAME
        rep movsd
        add     ebp, 8
        dec     edx
        jnz     .frame

        mov     eax, [ebx + CR4_VALUE]
        mov     cr4, eax
        mov     eax, [ebx + CR3_VALUE]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        mov     eax, [ebx + EFER_VALUE]
        xor     edx, edx
        wrmsr
        mov     eax, [ebx + CR0_VALUE]
        mov     cr0, eax
        jmp far dword [ebx + TO_LONG]

bits 64
wake_stub_long:
        mov     ebx, ebx                ; its upper half is undefined after the change of modes
        mov     rsp, [rbx + RESUME_RSP]
        jmp     [rbx + RESUME_RIP]
wake_stub_end:

section .text.wake progbits alloc exec nowrite align=16

; bool wake_cpu_sleep(uint64_t resume[2], void (*enter)(void))
; Saves the registers of the caller and of the FPU on the stack, and where they are in resume[]: RSP, RIP.
; Calls enter(). Returns 0 when that returns, 1 when the stub comes back by resume[].
global wake_cpu_sleep
wake_cpu_sleep:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        sub     rsp, 512 + 8            ; aligned to 16 for fxsave
        fxsave64 [rsp]
        mov     [rdi], rsp
        lea     rax, [rel .woken]
        mov     [rdi + 8], rax
        call    rsi
        xor     eax, eax
        jmp     .return
.woken: fxrstor64 [rsp]
        mov     eax, 1
.return:
        add     rsp, 512 + 8
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret
