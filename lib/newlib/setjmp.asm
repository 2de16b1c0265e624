; SPDX-License-Identifier: BSD-2-Clause
;
; setjmp and longjmp, instead of newlib's, whose longjmp(env, 0) makes setjmp return 0. The jmp_buf is
; newlib's, eight words.

section .text.setjmp progbits alloc exec nowrite align=16

; In: RDI = the jmp_buf. Out: EAX = 0, or what longjmp was given. Clobbers RDX.
global setjmp:function
setjmp:
        mov     [rdi], rbx
        mov     [rdi + 8], rbp
        mov     [rdi + 16], r12
        mov     [rdi + 24], r13
        mov     [rdi + 32], r14
        mov     [rdi + 40], r15
        lea     rdx, [rsp + 8]          ; RSP as it is behind the return
        mov     [rdi + 48], rdx
        mov     rdx, [rsp]
        mov     [rdi + 56], rdx
        xor     eax, eax
        ret

; In: RDI = the jmp_buf, ESI = what setjmp shall return, 1 in place of 0. Does not return.
global longjmp:function
longjmp:
        mov     eax, esi
        cmp     eax, 1
        adc     eax, 0
        mov     rbx, [rdi]
        mov     rbp, [rdi + 8]
        mov     r12, [rdi + 16]
        mov     r13, [rdi + 24]
        mov     r14, [rdi + 32]
        mov     r15, [rdi + 40]
        mov     rsp, [rdi + 48]
        jmp     [rdi + 56]
