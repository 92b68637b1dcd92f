namespace Tmem.Engine;

/// <summary>The name of one page: &lt;pool, object, index&gt;.</summary>
/// <param name="Pool">The pool.</param>
/// <param name="Object">The object within the pool.</param>
/// <param name="Index">The page's number within the object.</param>
public readonly record struct PageHandle(PoolId Pool, ObjectId Object, uint Index)
{
    /// <inheritdoc/>
    public override string ToString() => $"<{Pool}, object {Object}, page {Index}>";
}
