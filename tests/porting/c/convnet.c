/* A small convolutional network in C, forward and backward: conv 3×3 (pad 1) → ReLU → max pool 3×3 (stride 2) → dense → softmax
 * and cross-entropy. Feature maps are (M, C, H, W).
 *
 *     convnet REF OUT DUMPS MISTAKE
 *
 * reads X, y and the parameters from the folder REF, which is an unpacked reference (python -m zipfile -e ref.npz REF), and writes every
 * value and gradient to OUT, and each layer's own tensors to DUMPS. MISTAKE 0 plants none, 1 to 3 one each: see below.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef REAL
#define REAL double
#endif
typedef REAL real;

typedef struct {
    int ndim, shape[4];
    real *data;
} Tensor;

static int mistake; /* 1: dW over M; 2: dX with the kernel as it is; 3: overlapping pool windows overwrite each other */

static void fail(const char *what, const char *path) {
    fprintf(stderr, "convnet: %s %s\n", what, path);
    exit(1);
}

static int size(const Tensor *t) {
    int n = 1;
    for (int i = 0; i < t->ndim; i++) n *= t->shape[i];
    return n;
}

static Tensor zeros(int ndim, int a, int b, int c, int d) {
    Tensor t = {ndim, {a, b, c, d}, NULL};
    t.data = calloc(size(&t), sizeof(real));
    if (!t.data) fail("no memory for", "a tensor");
    return t;
}

/* ---- .npy files: a magic number, a header that is a Python dictionary, and the numbers ---- */

static FILE *opened(const char *folder, const char *name, const char *mode) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    if (*mode == 'w')
        for (char *slash = path + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
            *slash = 0;
            mkdir(path, 0777);
        }
    FILE *file = fopen(path, mode);
    if (!file) fail("cannot open", path);
    return file;
}

static Tensor loaded(const char *folder, const char *name) {
    FILE *file = opened(folder, name, "rb");
    unsigned char start[10];
    char header[65536];
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY\x01", 7)) fail("not an .npy of version 1:", name);
    size_t length = start[8] + 256 * start[9];
    if (fread(header, 1, length, file) != length) fail("a short header:", name);
    header[length - 1] = 0;
    int is_integer = strstr(header, "'<i8'") != NULL;
    if (!is_integer && !strstr(header, "'<f8'")) fail("neither int64 nor float64:", name);
    Tensor t = zeros(0, 0, 0, 0, 0);
    char *at = strchr(strstr(header, "'shape'"), '(') + 1;
    for (char *end; t.ndim < 4; at = end + (*end == ',') + (end[1] == ' ')) {
        long side = strtol(at, &end, 10);
        if (end == at) break;
        t.shape[t.ndim++] = (int)side;
    }
    free(t.data);
    t.data = malloc(size(&t) * sizeof(real));
    for (int i = 0; i < size(&t); i++) {
        union { double number; int64_t integer; } item;
        if (fread(&item, 8, 1, file) != 1) fail("too few numbers:", name);
        t.data[i] = is_integer ? (real)item.integer : (real)item.number;
    }
    fclose(file);
    return t;
}

static void saved(const char *folder, const char *name, const Tensor *t) {
    FILE *file = opened(folder, name, "wb");
    char header[128], shape[64] = "";
    for (int i = 0; i < t->ndim; i++) sprintf(shape + strlen(shape), "%d,", t->shape[i]);
    int length = sprintf(header, "{'descr': '<f%d', 'fortran_order': False, 'shape': (%s), }", (int)sizeof(real), shape);
    while ((10 + length + 1) % 64) header[length++] = ' ';
    header[length++] = '\n';
    fwrite("\x93NUMPY\x01\x00", 1, 8, file);
    fputc(length & 255, file);
    fputc(length >> 8, file);
    fwrite(header, 1, length, file);
    fwrite(t->data, sizeof(real), size(t), file);
    fclose(file);
}

/* ---- layers ---- */

#define AT(t, i, j, k, l) (t).data[(((i) * (t).shape[1] + (j)) * (t).shape[2] + (k)) * (t).shape[3] + (l)]
#define EACH(i, n) for (int i = 0; i < (n); i++)

static Tensor conv(Tensor x, Tensor W, Tensor b) {
    int M = x.shape[0], C = x.shape[1], H = x.shape[2], V = x.shape[3], F = W.shape[0];
    Tensor y = zeros(4, M, F, H, V);
    EACH(m, M) EACH(f, F) EACH(r, H) EACH(c, V) {
        real sum = b.data[f];
        EACH(ch, C) EACH(i, 3) EACH(j, 3) {
            int row = r + i - 1, column = c + j - 1;
            if (row >= 0 && row < H && column >= 0 && column < V) sum += AT(W, f, ch, i, j) * AT(x, m, ch, row, column);
        }
        AT(y, m, f, r, c) = sum;
    }
    return y;
}

static void conv_back(Tensor x, Tensor W, Tensor dy, Tensor *dx, Tensor *dW, Tensor *db) {
    int M = x.shape[0], C = x.shape[1], H = x.shape[2], V = x.shape[3], F = W.shape[0];
    *dx = zeros(4, M, C, H, V), *dW = zeros(4, F, C, 3, 3), *db = zeros(1, F, 0, 0, 0);
    EACH(m, M) EACH(f, F) EACH(r, H) EACH(c, V) {
        real d = AT(dy, m, f, r, c);
        db->data[f] += d;
        EACH(ch, C) EACH(i, 3) EACH(j, 3) {
            int row = r + i - 1, column = c + j - 1;
            if (row < 0 || row >= H || column < 0 || column >= V) continue;
            AT(*dW, f, ch, i, j) += d * AT(x, m, ch, row, column);
            AT(*dx, m, ch, row, column) += d * (mistake == 2 ? AT(W, f, ch, 2 - i, 2 - j) : AT(W, f, ch, i, j));
        }
    }
    if (mistake == 1) EACH(i, size(dW)) dW->data[i] /= M;
}

static Tensor relu(Tensor x) {
    Tensor y = zeros(x.ndim, x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
    EACH(i, size(&x)) y.data[i] = x.data[i] > 0 ? x.data[i] : 0;
    return y;
}

static Tensor relu_back(Tensor x, Tensor dy) {
    Tensor dx = zeros(x.ndim, x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
    EACH(i, size(&x)) dx.data[i] = x.data[i] > 0 ? dy.data[i] : 0;
    return dx;
}

static void first_maximum(Tensor x, int m, int ch, int r, int c, int *row, int *column) {
    *row = 2 * r, *column = 2 * c;
    EACH(i, 3) EACH(j, 3) if (AT(x, m, ch, 2 * r + i, 2 * c + j) > AT(x, m, ch, *row, *column)) {
        *row = 2 * r + i;
        *column = 2 * c + j;
    }
}

static Tensor pool(Tensor x) {
    int M = x.shape[0], C = x.shape[1], H = (x.shape[2] - 3) / 2 + 1, V = (x.shape[3] - 3) / 2 + 1, row, column;
    Tensor y = zeros(4, M, C, H, V);
    EACH(m, M) EACH(ch, C) EACH(r, H) EACH(c, V) {
        first_maximum(x, m, ch, r, c, &row, &column);
        AT(y, m, ch, r, c) = AT(x, m, ch, row, column);
    }
    return y;
}

static Tensor pool_back(Tensor x, Tensor dy) {
    Tensor dx = zeros(4, x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
    EACH(m, dy.shape[0]) EACH(ch, dy.shape[1]) EACH(r, dy.shape[2]) EACH(c, dy.shape[3]) {
        int row, column;
        first_maximum(x, m, ch, r, c, &row, &column);
        if (mistake == 3) AT(dx, m, ch, row, column) = AT(dy, m, ch, r, c);
        else AT(dx, m, ch, row, column) += AT(dy, m, ch, r, c);
    }
    return dx;
}

static Tensor dense(Tensor x, Tensor W, Tensor b) {
    int M = x.shape[0], N = x.shape[1], K = W.shape[0];
    Tensor y = zeros(2, M, K, 0, 0);
    EACH(m, M) EACH(k, K) {
        real sum = b.data[k];
        EACH(n, N) sum += W.data[k * N + n] * x.data[m * N + n];
        y.data[m * K + k] = sum;
    }
    return y;
}

static void dense_back(Tensor x, Tensor W, Tensor dy, Tensor *dx, Tensor *dW, Tensor *db) {
    int M = x.shape[0], N = x.shape[1], K = W.shape[0];
    *dx = zeros(2, M, N, 0, 0), *dW = zeros(2, K, N, 0, 0), *db = zeros(1, K, 0, 0, 0);
    EACH(m, M) EACH(k, K) {
        real d = dy.data[m * K + k];
        db->data[k] += d;
        EACH(n, N) {
            dW->data[k * N + n] += d * x.data[m * N + n];
            dx->data[m * N + n] += d * W.data[k * N + n];
        }
    }
}

/* The losses of the images, and the gradient of their mean. */
static Tensor cross_entropy(Tensor z, Tensor y, Tensor *dz) {
    int M = z.shape[0], K = z.shape[1];
    Tensor losses = zeros(1, M, 0, 0, 0);
    *dz = zeros(2, M, K, 0, 0);
    EACH(m, M) {
        real *logits = z.data + m * K, largest = logits[0], sum = 0;
        EACH(k, K) if (logits[k] > largest) largest = logits[k];
        EACH(k, K) sum += (real)exp(logits[k] - largest);
        int label = (int)y.data[m];
        losses.data[m] = (real)log(sum) + largest - logits[label];
        EACH(k, K) dz->data[m * K + k] = ((real)exp(logits[k] - largest) / sum - (k == label)) / M;
    }
    return losses;
}

int main(int argc, char **argv) {
    if (argc != 5) fail("usage:", "convnet REF OUT DUMPS MISTAKE");
    const char *ref = argv[1], *out = argv[2], *dumps = argv[3];
    mistake = atoi(argv[4]);
    Tensor x = loaded(ref, "X"), y = loaded(ref, "y");
    Tensor W1 = loaded(ref, "param/conv1.W"), b1 = loaded(ref, "param/conv1.b");
    Tensor W2 = loaded(ref, "param/conv2.W"), b2 = loaded(ref, "param/conv2.b");
    Tensor W3 = loaded(ref, "param/dense1.W"), b3 = loaded(ref, "param/dense1.b");

    Tensor z1 = conv(x, W1, b1), a1 = relu(z1), z2 = conv(a1, W2, b2), a2 = relu(z2), p = pool(a2), f = p;
    f.ndim = 2, f.shape[1] = size(&p) / p.shape[0];
    Tensor z3 = dense(f, W3, b3), dz3, losses = cross_entropy(z3, y, &dz3);

    Tensor df, dW3, db3, da1, dW2, db2, dx, dW1, db1;
    dense_back(f, W3, dz3, &df, &dW3, &db3);
    Tensor dp = p;
    dp.data = df.data;
    Tensor da2 = pool_back(a2, dp), dz2 = relu_back(z2, da2);
    conv_back(a1, W2, dz2, &da1, &dW2, &db2);
    Tensor dz1 = relu_back(z1, da1);
    conv_back(x, W1, dz1, &dx, &dW1, &db1);

    struct { const char *folder, *name; Tensor *tensor; } files[] = {
        {out, "value/conv1", &z1}, {out, "value/relu1", &a1}, {out, "value/conv2", &z2}, {out, "value/relu2", &a2},
        {out, "value/maxpool2d1", &p}, {out, "value/flatten1", &f}, {out, "value/dense1", &z3}, {out, "losses", &losses},
        {out, "grad/dense1", &dz3}, {out, "grad/dense1.W", &dW3}, {out, "grad/dense1.b", &db3}, {out, "grad/flatten1", &df},
        {out, "grad/maxpool2d1", &dp}, {out, "grad/relu2", &da2}, {out, "grad/conv2", &dz2}, {out, "grad/conv2.W", &dW2},
        {out, "grad/conv2.b", &db2}, {out, "grad/relu1", &da1}, {out, "grad/conv1", &dz1}, {out, "grad/conv1.W", &dW1},
        {out, "grad/conv1.b", &db1}, {out, "grad/X", &dx},
        {dumps, "conv2/x", &a1}, {dumps, "conv2/W", &W2}, {dumps, "conv2/b", &b2}, {dumps, "conv2/y", &z2},
        {dumps, "conv2/dy", &dz2}, {dumps, "conv2/dx", &da1}, {dumps, "conv2/dW", &dW2}, {dumps, "conv2/db", &db2},
        {dumps, "pool/x", &a2}, {dumps, "pool/y", &p}, {dumps, "pool/dy", &dp}, {dumps, "pool/dx", &da2},
    };
    EACH(i, (int)(sizeof files / sizeof *files)) saved(files[i].folder, files[i].name, files[i].tensor);
    return 0;
}
