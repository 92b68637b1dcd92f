using System.Runtime.CompilerServices;
using Tmem.Engine;
using Tmem.Engine.Records;

namespace Tmem.Fuse.Filesystem;

/// <summary>The targets of symbolic links. The caller holds the namespace lock.</summary>
internal sealed class LinkTargets(RecordStore records, InodeTable inodes)
{
    /// <summary>Longest target, in bytes.</summary>
    public const int Maximum = 4095;

    /// <summary>Makes a target for an inode; neither of the two is committed.</summary>
    public TmemStatus Prepare(RecordRef link, ReadOnlySpan<byte> target, out RecordRef record)
    {
        ref var inode = ref inodes[link];
        var status = records.Allocate(RecordKind.Target, Unsafe.SizeOf<TargetRecord>() + target.Length, out record,
            new PoolId(inode.Pool));
        if (status != TmemStatus.Ok) return status;
        ref var header = ref records.Get<TargetRecord>(record);
        header.Owner = link.Value;
        header.Length = (uint)target.Length;
        target.CopyTo(records.Bytes(record)[Unsafe.SizeOf<TargetRecord>()..]);
        header.Sum = RecordSum.OfTarget(records, record);
        inode.Target = record.Value;
        inode.Size = (ulong)target.Length;
        return TmemStatus.Ok;
    }

    /// <summary>The target of a link; empty if that is damaged or another link's.</summary>
    public ReadOnlySpan<byte> Of(RecordRef link)
    {
        var target = new RecordRef(inodes[link].Target);
        if (!records.IsRecord(target, RecordKind.Target) || !RecordSum.TargetHolds(records, target)) return default;
        ref var record = ref records.Get<TargetRecord>(target);
        return record.Owner != link.Value ? default
            : records.Bytes(target).Slice(Unsafe.SizeOf<TargetRecord>(), (int)record.Length);
    }
}
