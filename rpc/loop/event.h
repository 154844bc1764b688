#pragma once
// What an operation on a completion queue ends with. Its address is the operation's tag.

namespace decree::rpc {

// It must live until the operation has ended.
class Event {
 public:
  // `ok` is false if the operation failed, or was given up because the call or the server ended.
  virtual void OnEvent(bool ok) = 0;

 protected:
  ~Event() = default;
};

// An event that is a method of its owner.
template <typename Owner, void (Owner::*kMethod)(bool)>
class MemberEvent final : public Event {
 public:
  explicit MemberEvent(Owner* owner) : owner_(owner) {}
  void OnEvent(bool ok) override { (owner_->*kMethod)(ok); }

 private:
  Owner* const owner_;
};

}  // namespace decree::rpc
