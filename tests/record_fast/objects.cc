// SPDX-License-Identifier: Apache-2.0
// C++: virtual calls, exceptions, templates, thread-local objects, destructors at the end.
#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct Shape {
    virtual ~Shape() = default;
    virtual long area() const = 0;
};

struct Square : Shape {
    explicit Square(long side) : side(side) {}
    long area() const override {
        if (side > 90) throw std::out_of_range("too large");
        return side * side;
    }
    long side;
};

struct Farewell {
    ~Farewell() { std::printf("farewell %ld\n", count); }
    long count = 0;
};

static Farewell farewell;
static thread_local std::vector<long> seen;

static long total(long from, std::atomic<long> &shared) {
    std::vector<std::unique_ptr<Shape>> shapes;
    std::map<std::string, long> by_name;
    for (long i = from; i < from + 100; i++) {
        shapes.push_back(std::make_unique<Square>(i));
    }
    for (const auto &shape : shapes) {
        try {
            by_name[std::to_string(shape->area() % 17)] += 1;
            seen.push_back(shape->area());
        } catch (const std::out_of_range &) {
            shared++;
        }
    }
    long sum = 0;
    for (const auto &entry : by_name) sum = sum * 3 + entry.second;
    return sum + static_cast<long>(seen.size());
}

int main() {
    std::atomic<long> shared{0};
    long other = 0;
    std::thread thread([&] { other = total(50, shared); });
    thread.join();
    long own = total(1, shared);
    farewell.count = own;
    std::printf("%ld %ld %ld\n", own, other, shared.load());
}
