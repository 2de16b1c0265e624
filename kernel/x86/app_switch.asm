; SPDX-License-Identifier: BSD-2-Clause
;
; Between app and kernel: into the app once, through the gate as often as the app calls, and out of it
; for good. app_level tells stubs.asm which stack an exception came from; it changes only while
; interrupts are off, together with the stack.

extern app_call_dispatch

section .data.app_switch progbits alloc noexec write align=16
global app_level, app_kernel_rsp
app_kernel_rsp: dq 0                    ; where app_switch_enter() left the kernel's stack
app_level:      db 0                    ; 1 while the app's own code runs

section .rodata.app_switch progbits alloc noexec nowrite align=4
mxcsr_default:  dd 0x1F80               ; all exceptions masked, round to nearest

section .text.app_switch progbits alloc exec nowrite align=16
bits 64

; void app_switch_enter(const struct app_context *context)
; Calls context->entry(arg[0], arg[1], arg[2]) at app level on context->stack_top, with a fresh FPU.
; Returns when app_switch_leave() is called.
global app_switch_enter
app_switch_enter:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        cli
        mov     [rel app_kernel_rsp], rsp
        mov     rsp, [rdi + 8]
        mov     rax, [rdi]
        mov     rsi, [rdi + 24]
        mov     rdx, [rdi + 32]
        mov     rdi, [rdi + 16]
        xor     ebp, ebp                ; the end of the app's backtraces
        cld
        fninit
        ldmxcsr [rel mxcsr_default]
        mov     byte [rel app_level], 1
        sti
        call    rax
        ud2                             ; apps end by a call

; void app_switch_leave(void)
; Abandons the app: app_switch_enter() returns, with interrupts on. Any stack of the kernel's.
global app_switch_leave
app_switch_leave:
        cli
        mov     byte [rel app_level], 0
        mov     rsp, [rel app_kernel_rsp]
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        sti
        ret

; int64_t app_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
; The gate: app_call_dispatch() with the same arguments on the kernel's stack, at task level. It comes
; back with interrupts off.
global app_call
app_call:
        push    rbp
        mov     rbp, rsp
        push    rbx
        mov     rbx, rsp
        cli
        mov     byte [rel app_level], 0
        mov     rsp, [rel app_kernel_rsp]
        and     rsp, -16
        sti
        call    app_call_dispatch
        mov     byte [rel app_level], 1
        mov     rsp, rbx
        sti
        pop     rbx
        pop     rbp
        ret
