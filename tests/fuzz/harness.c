/* libFuzzer's entry points: an embedded Python that hands each input to tests.fuzz.target.run. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>

static PyObject* run;

static void fail(void) {
    PyErr_Print();
    fflush(stderr);
    abort();
}

int LLVMFuzzerInitialize(int* argc, char*** argv) {
    (void) argc;
    (void) argv;
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    if (PyStatus_Exception(PyConfig_SetBytesString(&config, &config.executable, getenv("BULKHEAD_PYTHON"))) ||
        PyStatus_Exception(Py_InitializeFromConfig(&config)))
        abort();
    PyConfig_Clear(&config);
    PyObject* module = PyImport_ImportModule("tests.fuzz.target");
    run = module ? PyObject_GetAttrString(module, "run") : NULL;
    if (run == NULL) fail();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    PyObject* result = PyObject_CallFunction(run, "y#", (const char*) data, (Py_ssize_t) size);
    if (result == NULL) fail();
    Py_DECREF(result);
    return 0;
}
